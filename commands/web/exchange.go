package web

import (
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/labnet/labnet/commands/terminal"
	"github.com/labnet/labnet/wire"
)

// An exchange is a request and its answer.
type exchange struct {
	http.ResponseWriter
	r *http.Request
	h *wire.Handover

	received []receipt // the files of a form
}

// authorized calls what a client asks for if its token allows anything.
func (x *exchange) authorized(do func()) {
	if err := x.h.Authenticate(tokenOf(x.r)); err != nil {
		x.refuse(err)
		return
	}
	do()
}

// tokenOf returns the token of a request: a bearer's, or the password of any user.
func tokenOf(r *http.Request) string {
	scheme, rest, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "Bearer") {
		return strings.TrimSpace(rest)
	}
	_, password, _ := r.BasicAuth()
	return password
}

// statuses are those of refusals; all others are 500.
var statuses = map[wire.Code]int{
	wire.CodeDenied:      http.StatusUnauthorized,
	wire.CodeForbidden:   http.StatusForbidden,
	wire.CodeName:        http.StatusBadRequest,
	wire.CodeMismatch:    http.StatusBadRequest,
	wire.CodeProtocol:    http.StatusBadRequest,
	wire.CodeTLSRequired: http.StatusBadRequest,
	wire.CodeExists:      http.StatusConflict,
	wire.CodeInUse:       http.StatusConflict,
	wire.CodeSuperseded:  http.StatusConflict,
	wire.CodeTooLarge:    http.StatusRequestEntityTooLarge,
	wire.CodeNoSpace:     http.StatusInsufficientStorage,
	wire.CodeQuota:       http.StatusInsufficientStorage,
	wire.CodeBusy:        http.StatusServiceUnavailable,
	wire.CodeTooMany:     http.StatusServiceUnavailable,
	wire.CodeReadOnly:    http.StatusServiceUnavailable,
	wire.CodeDegraded:    http.StatusServiceUnavailable,
	wire.CodeShutdown:    http.StatusServiceUnavailable,
	wire.CodeTimeout:     http.StatusRequestTimeout,
	wire.CodeTooSlow:     http.StatusRequestTimeout,
	wire.CodeUnsupported: http.StatusNotImplemented,
}

// hints say what to do about refusals, for people with curl.
var hints = map[wire.Code]string{
	wire.CodeDenied:      "give your token: curl -u :TOKEN, or the header Authorization: Bearer TOKEN",
	wire.CodeTLSRequired: "use https:// in place of http://",
	wire.CodeName:        "send it under another name",
	wire.CodeExists:      "send it under another name",
	wire.CodeNoSpace:     "free some space at the server",
	wire.CodeQuota:       "remove files at the server, or have the quota raised",
}

// retryAfter is how many seconds a client should wait before it tries again.
const retryAfter = "5"

// refuse answers with why something was not done, and logs it.
func (x *exchange) refuse(err error) {
	told := x.h.Refuse(err)
	x.fail(told, hints[told.Code])
}

// refuseWith is refuse with what to do about this error.
func (x *exchange) refuseWith(err error, hint string) { x.fail(x.h.Refuse(err), hint) }

// fail answers with an error.
func (x *exchange) fail(why *wire.Error, hint string) {
	status, known := statuses[why.Code]
	if !known {
		status = http.StatusInternalServerError
	}
	if why.Code == wire.CodeExists && x.r.Header.Get("If-None-Match") != "" {
		status = http.StatusPreconditionFailed
	}
	if why.Code.Retryable() {
		x.Header().Set("Retry-After", retryAfter)
	}
	if status == http.StatusUnauthorized {
		x.Header().Add("WWW-Authenticate", `Bearer realm="labnet"`)
		if x.byScript() {
			hint = "" // the page asks for it itself
		} else {
			x.Header().Add("WWW-Authenticate", `Basic realm="labnet", charset="UTF-8"`)
		}
	}
	if why.Code.EndsConnection() && why.Code != wire.CodeProtocol { // net/http finds the next request
		x.Header().Set("Connection", "close")
	}
	x.problem(status, string(why.Code), why.Text, hint)
}

// A trouble is an error as RFC 9457 writes it.
type trouble struct {
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Code   string `json:"code"`
	Hint   string `json:"hint,omitempty"`
}

// problem answers with an error.
func (x *exchange) problem(status int, code, detail, hint string) {
	told := &trouble{http.StatusText(status), status, detail, code, hint}
	if x.forPerson() {
		x.show(status, told)
		return
	}
	x.Header().Set("Content-Type", "application/problem+json")
	x.json(status, told)
}

func (x *exchange) notAllowed(methods ...string) {
	x.Header().Set("Allow", strings.Join(methods, ", "))
	x.problem(http.StatusMethodNotAllowed, "unsupported", fmt.Sprintf("%s is not for %s", x.r.Method, x.r.URL.Path), "")
}

// json answers with an object.
func (x *exchange) json(status int, object any) {
	if x.Header().Get("Content-Type") == "" {
		x.Header().Set("Content-Type", "application/json")
	}
	x.WriteHeader(status)
	x.Write(terminal.Encode(object))
}

// health tells monitors whether the server can store anything.
func (x *exchange) health() {
	x.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if err := x.h.Err(); err != nil {
		why := "the store does not work"
		if told, ok := errors.AsType[*wire.Error](err); ok {
			why = told.Text
		}
		x.WriteHeader(http.StatusServiceUnavailable)
		fmt.Fprintln(x, why)
		return
	}
	fmt.Fprintln(x, "ok")
}
