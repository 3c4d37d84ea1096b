package web

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"errors"
	"html/template"
	"net/http"
	"strings"
	"sync"

	"github.com/labnet/labnet/wire"
)

//go:embed page.html page.css page.js answer.html
var pageFiles embed.FS

// A look has what browsers show. Nothing of it comes from anywhere else.
type look struct {
	page         []byte
	pagePolicy   string // its Content-Security-Policy
	answer       *template.Template
	answerPolicy string
	style        template.CSS
}

// theLook is made for the first browser: most servers have none.
var theLook = sync.OnceValue(func() look {
	read := func(name string) string {
		b, err := pageFiles.ReadFile(name)
		if err != nil {
			panic(err)
		}
		return string(b)
	}
	style, script := read("page.css"), read("page.js")
	var page bytes.Buffer
	err := template.Must(template.New("page").Parse(read("page.html"))).Execute(&page, struct {
		Style  template.CSS
		Script template.JS
	}{template.CSS(style), template.JS(script)})
	if err != nil {
		panic(err)
	}
	const own = "default-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'; style-src "
	return look{
		page: page.Bytes(),
		pagePolicy: own + sourceOf(style) + "; script-src " + sourceOf(script) +
			"; connect-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'",
		answer:       template.Must(template.New("answer").Parse(read("answer.html"))),
		answerPolicy: own + sourceOf(style),
		style:        template.CSS(style),
	}
})

// sourceOf allows nothing but a text, in a Content-Security-Policy.
func sourceOf(text string) string {
	sum := sha256.Sum256([]byte(text))
	return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
}

// page is for people with a browser. It needs no token: it has nothing to tell.
func (x *exchange) page() {
	l := theLook()
	x.Header().Set("Content-Security-Policy", l.pagePolicy)
	x.Header().Set("Content-Type", "text/html; charset=utf-8")
	x.Write(l.page)
}

// whoami tells whose token a client has. To have none is no offence here: the page asks
// whether it needs one.
func (x *exchange) whoami() {
	token := tokenOf(x.r)
	err := x.h.Authenticate(token)
	if needed, ok := errors.AsType[*wire.Error](err); ok && token == "" {
		x.fail(needed, "")
		return
	}
	if err != nil {
		x.refuse(err)
		return
	}
	x.json(http.StatusOK, struct {
		User string `json:"user,omitempty"`
	}{x.h.User()})
}

// forPerson reports whether a person reads the answer, in a browser without our script.
func (x *exchange) forPerson() bool {
	return strings.Contains(x.r.Header.Get("Accept"), "text/html")
}

// byScript reports whether a script of the page sends the request: a browser would ask
// for the name and password of Basic itself, which the page does better.
func (x *exchange) byScript() bool {
	mode := x.r.Header.Get("Sec-Fetch-Mode")
	return mode != "" && mode != "navigate"
}

// show answers with a page about what was received, and about what was not if that is
// not nil.
func (x *exchange) show(status int, told *trouble) {
	l := theLook()
	x.Header().Set("Content-Security-Policy", l.answerPolicy)
	x.Header().Set("Content-Type", "text/html; charset=utf-8")
	x.WriteHeader(status)
	l.answer.Execute(x, struct {
		Style    template.CSS
		Received []receipt
		Trouble  *trouble
	}{l.style, x.received, told})
}
