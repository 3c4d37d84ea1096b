package commands_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/rs/zerolog"
	"pgregory.net/rapid"

	"github.com/labnet/labnet/commands"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/storage/storagetest"
	"github.com/labnet/labnet/wire"
)

// TestModel does to a server and its store, in random order, all that clients,
// networks and accidents do, and compares with a model after each step what is
// visible, what is left of interrupted uploads, and what clients were told.
// For a longer search than the tests' usual one:
//
//	go test ./commands/ -run TestModel -rapid.checks 10000 -rapid.steps 60 -timeout 1h
//
// and with -rapid.log to see the steps that led to one that hangs.
//
// Each run is in a bubble, over pipes: nothing is in flight when a step is
// over, so that a step can be repeated, and a goroutine that is left over at
// the end is found as a deadlock.
func TestModel(t *testing.T) {
	base := storagetest.MemoryDir(t)
	hasNotes := keepsNotes(t, base)
	testModel(t, []string{"rename", "replace", "refuse"}, func(t *rapid.T) ground { return newFolder(t, base, hasNotes) })
}

// testModel does that on the grounds that newGround makes.
func testModel(t *testing.T, policies []string, newGround func(*rapid.T) ground) {
	rapid.Check(t, func(t *rapid.T) {
		rapid.SyncTest(t, func(t *rapid.T) {
			m := &machine{model: newModel(rapid.SampledFrom(policies).Draw(t, "on conflict"))}
			m.ground = newGround(t)
			m.loses, m.createsLate, m.notes = m.ground.loses, m.ground.createsLate(), m.ground.notes()
			m.start(t)
			t.Cleanup(m.tearDown)
			t.Repeat(map[string]func(*rapid.T){
				"":        m.check,
				"say":     m.say,
				"folder":  m.makeFolder,
				"send":    m.send,
				"begin":   m.begin,
				"resume":  m.resume,
				"again":   m.again,
				"finish":  m.finish,
				"cut":     m.cut,
				"ahead":   m.ahead,
				"hostile": m.hostile,
				"meddle":  m.meddle,
				"restart": m.restart,
				"damage":  m.damage,
			})
			m.stop(t, serverFirst)
			m.check(t)
		})
	})
}

// A machine is a server with its store, and the model of them.
type machine struct {
	model
	ground    ground
	store     storage.Store
	srv       *wire.Server
	listener  *pipeListener
	serving   sync.WaitGroup
	receiving sync.Mutex
	kept      string // the name of what the server kept last
	standing  *conversation
	flights   []*flight
}

var (
	names       = []string{"f", "f.txt", "f (2)", "a/f", "a", "a/b/f.txt", "f/x", "END", ""}
	folderNames = []string{"a", "a/b", "f", "empty/folder"}
	ids         = []string{"", "1", "2"}
	// On both sides of what is a small file to the store, and of what is one
	// Data to a client. The largest is rare because it costs most of the time.
	sizes = []int{100, 10, 0, 1, 99, 100, 10, 5000, 70_000, 100, 10, 5000, 70_000, 1<<20 + 10}

	hostileNames = []word{
		"../f", "/f", "a/../f", "a//f", "./../f", "..", ".labnet/lock", ".labnet/f",
		"f\u202etxt", "f\n", word(strings.Repeat("f", 256)), word(strings.Repeat("f/", 1500)) + ".",
	}

	someContents = rapid.Custom(func(t *rapid.T) contents {
		return contents{
			rapid.SampledFrom([]byte("ABC")).Draw(t, "letter"),
			rapid.SampledFrom(sizes).Draw(t, "size"),
		}
	})
	orders = rapid.Custom(func(t *rapid.T) order {
		o := order{name: rapid.SampledFrom(names).Draw(t, "name"), contents: someContents.Draw(t, "contents")}
		o.blob = rapid.IntRange(0, 9).Draw(t, "blob") == 9
		if o.blob {
			o.name = ""
		} else {
			o.id = rapid.SampledFrom(ids).Draw(t, "id")
			o.stream = rapid.IntRange(0, 3).Draw(t, "stream") == 3
			o.digest = rapid.SampledFrom([]string{"crc64nvme", "sha256"}).Draw(t, "digest")
			o.proves = o.id == "" && rapid.Bool().Draw(t, "proves")
		}
		if broken := rapid.SampledFrom([]string{whole, whole, whole, fails, shrinks, grows}).Draw(t, "source"); o.contents.size > 0 && (broken == fails || !o.stream && !o.blob) {
			o.source = broken
		}
		o.tells = !o.blob && !o.stream && o.name != "" && o.source == whole && rapid.IntRange(0, 3).Draw(t, "tells") == 3
		return o
	})
)

// start opens the store, and a server with a client on it.
func (m *machine) start(t *rapid.T) {
	var err error
	if m.store, err = m.ground.open(m.policy); err != nil {
		t.Fatal(err)
	}
	m.srv = &wire.Server{
		Store:    commands.Keeper(m.store),
		Received: m.receive,
		Log:      zerolog.New(zerolog.NewTestWriter(t)).Level(zerolog.ErrorLevel),
	}
	m.listener = &pipeListener{conns: make(chan net.Conn, 1)}
	m.serving.Go(func() { m.srv.Serve(m.listener) })
	m.standing = m.converse(notHeld)
}

// The ways of a server to end.
const (
	shutDown    = "shutdown, then the store"
	serverFirst = "the server, then the store"
	storeFirst  = "the store, then the server"
	killed      = "kill -9"
)

// stop ends the server and its store in one of the ways.
func (m *machine) stop(t *rapid.T, how string) {
	switch how {
	case killed:
		if err := m.ground.kill(); err != nil {
			t.Fatal(err)
		}
	case storeFirst:
		m.closeStore(t)
	case shutDown:
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		m.srv.Shutdown(ctx)
	}
	m.srv.Close()
	m.serving.Wait()
	if how == killed {
		m.store.Close() // it reaches nothing any more
	} else {
		m.closeStore(t)
	}
	m.standing.client.Close()
	for _, s := range slices.Clone(m.open) {
		m.leave(s, how == killed)
		if how == killed || how == storeFirst {
			m.loseTail(t, s.id)
		}
	}
	for _, f := range slices.Clone(m.flights) {
		m.reap(t, f)
	}
}

func (m *machine) closeStore(t *rapid.T) {
	if err := m.store.Close(); err != nil {
		t.Fatalf("close the store: %v", err)
	}
}

// loseTail forgives a store that ended before its server what it had not taken
// over yet. What it has must be the beginning.
func (m *machine) loseTail(t *rapid.T, id string) {
	if m.left[id] == nil {
		return
	}
	b, err := m.ground.left(id)
	if err != nil && !errors.Is(err, fs.ErrNotExist) || !bytes.HasPrefix(m.left[id], b) {
		t.Fatalf("left of upload %s: %s, want some of %s (%v)", id, nameOf(b), nameOf(m.left[id]), err)
	}
	if m.left[id] = b; len(b) == 0 {
		delete(m.left, id)
	}
}

// tearDown leaves nothing of a run, even of one that failed in its middle.
func (m *machine) tearDown() {
	m.srv.Close()
	for _, f := range m.flights {
		f.tap.open()
		f.tap.Close()
		<-f.done
		f.client.Close()
	}
	m.standing.client.Close()
	m.serving.Wait()
	m.store.Close()
	m.ground.clear()
}

// check compares the store with the model.
func (m *machine) check(t *rapid.T) {
	visible, hidden, err := m.ground.walk(&m.model)
	if err != nil {
		t.Fatal(err)
	}
	if diff := compare(visible, m.visible()); diff != "" {
		t.Fatalf("visible:\n%s", diff)
	}
	want, nameless := m.hidden()
	for name := range hidden {
		if strings.HasSuffix(name, ".partial") && nameless > 0 {
			nameless--
			delete(hidden, name)
		}
	}
	if diff := compare(hidden, want); diff != "" || nameless > 0 {
		t.Fatalf("in .labnet, where %d more uploads without ID should be:\n%s", nameless, diff)
	}
}

// restart ends the server, in the middle of what it is doing, and starts it.
func (m *machine) restart(t *rapid.T) {
	m.stop(t, rapid.SampledFrom([]string{serverFirst, shutDown, storeFirst, killed}).Draw(t, "end of the server"))
	m.start(t)
}

// damage does to what an upload has left what a power cut might.
func (m *machine) damage(t *rapid.T) {
	if len(m.left) == 0 || !m.ground.spoils() {
		t.SkipNow()
	}
	m.stop(t, serverFirst)
	defer m.start(t)
	if len(m.left) == 0 {
		return // it was the rest of an upload that began again
	}
	id := rapid.SampledFrom(slices.Sorted(maps.Keys(m.left))).Draw(t, "upload")
	b := slices.Clone(m.left[id])
	at := rapid.IntRange(0, len(b)-1).Draw(t, "at")
	switch rapid.SampledFrom([]string{"flip", "cut", "extend"}).Draw(t, "damage") {
	case "flip":
		b[at] ^= 1
	case "cut":
		b = b[:at]
	case "extend":
		b = append(b, make([]byte, at+1)...)
	}
	if err := m.ground.spoil(id, b); err != nil {
		t.Fatal(err)
	}
	if m.left[id] = b; len(b) == 0 {
		delete(m.left, id)
	}
}

// say says something.
func (m *machine) say(t *rapid.T) {
	text := rapid.SampledFrom([]word{"hello", "END", "", word(strings.Repeat("x", wire.MaxString))}).Draw(t, "text")
	want := "Message: " + string(text)
	got, err := m.standing.client.Say(t.Context(), string(text))
	if err != nil || got != want {
		t.Errorf("answer %q, %v", got, err)
	}
}

// makeFolder makes a folder.
func (m *machine) makeFolder(t *rapid.T) {
	m.wantFolder(t, rapid.SampledFrom(folderNames).Draw(t, "name"))
}

func (m *machine) wantFolder(t *rapid.T, name string) {
	want := m.model.makeFolder(name)
	err := m.standing.client.MakeFolder(t.Context(), name)
	var code wire.Code
	if refused, ok := errors.AsType[*wire.Error](err); ok {
		code = refused.Code
	}
	if code != want || code == "" && err != nil {
		t.Errorf("folder %q: %v, want code %q", name, err, want)
	}
}

// send sends something on the connection that the machine has anyway.
func (m *machine) send(t *rapid.T) {
	m.launch(t, m.standing, m.ground.fit(orders.Draw(t, "order")), notHeld)
}

// begin sends something on a connection of its own, and holds it back.
func (m *machine) begin(t *rapid.T) {
	if len(m.flights) == maxFlights {
		t.SkipNow()
	}
	m.hold(t, m.ground.fit(orders.Draw(t, "order")))
}

func (m *machine) hold(t *rapid.T, o order) {
	h := holds(o).Draw(t, "hold")
	m.launch(t, m.converse(h), o, h)
}

// resume sends again what was interrupted, from a source that may have changed.
func (m *machine) resume(t *rapid.T) {
	if len(m.left) == 0 {
		t.SkipNow()
	}
	o := m.leftBy[rapid.SampledFrom(slices.Sorted(maps.Keys(m.left))).Draw(t, "upload")]
	o.stream, o.source, o.tells = false, whole, false
	switch rapid.SampledFrom([]string{"as it was", "as it was", "changed", "shorter"}).Draw(t, "source") {
	case "changed":
		o.contents.letter = 'A' + 'B' - min(o.contents.letter, 'B')
	case "shorter":
		o.contents.size /= 2
	}
	if len(m.flights) < maxFlights && rapid.Bool().Draw(t, "held back") {
		m.hold(t, o)
	} else {
		m.launch(t, m.standing, o, notHeld)
	}
}

// again sends a file that is there, as it is or after it was changed or has grown. Of what is
// held back the server has made an offer.
func (m *machine) again(t *rapid.T) {
	files := maps.Clone(m.files)
	maps.DeleteFunc(files, func(name string, b []byte) bool { return letterOf(b) == 0 || strings.HasSuffix(name, ".bin") })
	if len(files) == 0 || len(m.flights) == maxFlights {
		t.SkipNow()
	}
	name := rapid.SampledFrom(slices.Sorted(maps.Keys(files))).Draw(t, "name")
	o := order{
		name: name, contents: contents{letterOf(files[name]), len(files[name])},
		id: rapid.SampledFrom(ids).Draw(t, "id"), proves: true, digest: "crc64nvme",
	}
	switch rapid.SampledFrom([]string{"as it was", "as it was", "changed", "grown"}).Draw(t, "source") {
	case "changed":
		o.contents.letter = 'A' + 'B' - min(o.contents.letter, 'B')
	case "grown":
		o.contents.size += 7
	}
	at := len(o.request()) + rapid.IntRange(0, 60).Draw(t, "requests")
	m.launch(t, m.converse(hold{at, unlimited}), m.ground.fit(o), hold{at, unlimited})
}

// maxFlights is how many clients are held back at most.
const maxFlights = 3

// flying draws a flight that is held back.
func (m *machine) flying(t *rapid.T) *flight {
	if len(m.flights) == 0 {
		t.SkipNow()
	}
	return m.flights[rapid.IntRange(0, len(m.flights)-1).Draw(t, "of those held back")]
}

// finish holds a flight back no more.
func (m *machine) finish(t *rapid.T) {
	f := m.flying(t)
	f.hold = notHeld
	f.tap.open()
	m.settle(t, f)
}

// cut ends the connection of a flight.
func (m *machine) cut(t *rapid.T) {
	f := m.flying(t)
	if rapid.Bool().Draw(t, "by the server") {
		f.heard.Close()
	} else {
		f.tap.Close()
	}
	synctest.Wait()
	if f.announced && !f.over {
		m.leave(f.sending, false)
	}
	m.reap(t, f)
}

// meddle has another program do something to a file, which a client may have been offered.
func (m *machine) meddle(t *rapid.T) {
	if len(m.files) == 0 {
		t.SkipNow()
	}
	names := slices.Sorted(maps.Keys(m.files))
	if offered := m.offeredNames(); len(offered) > 0 && rapid.IntRange(0, 3).Draw(t, "any") > 0 {
		names = offered
	}
	name := rapid.SampledFrom(names).Draw(t, "name")
	how := rapid.SampledFrom([]meddling{replaced, replaced, removed, touched, madeFolder, madeLink}).Draw(t, "how")
	b := m.files[name]
	if how == replaced {
		b = someContents.Draw(t, "contents").bytes()
	}
	if err := m.ground.meddle(name, how, b); errors.Is(err, errors.ErrUnsupported) {
		t.SkipNow()
	} else if err != nil {
		t.Fatal(err)
	}
	m.model.meddle(name, how, b)
}

// hostile names are refused, for files and for folders.
func (m *machine) hostile(t *rapid.T) {
	name := string(rapid.SampledFrom(hostileNames).Draw(t, "name"))
	if rapid.Bool().Draw(t, "folder") {
		m.wantFolder(t, name)
		return
	}
	o := order{name: name, contents: contents{'A', 10}, id: rapid.SampledFrom(ids).Draw(t, "id"), digest: "crc64nvme"}
	m.launch(t, m.standing, o, notHeld)
}
