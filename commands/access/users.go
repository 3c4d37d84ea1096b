// Package access says who may send what, and where it is kept: the tokens file, users, their folders and quotas.
package access

import (
	"context"
	"crypto/sha256"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/rs/zerolog"

	"github.com/labnet/labnet/commands/problem"
	"github.com/labnet/labnet/commands/reload"
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// A Doorkeeper knows the users of a server, and where each of them may keep what.
type Doorkeeper struct {
	users *reload.Watched[*users]
	store storage.Store
	serve func(storage.Store) wire.Store // how a wire.Server uses one

	mu     sync.Mutex
	quotas map[string]*quota        // by folder
	seen   map[string]*atomic.Int64 // when users last did something, in Unix seconds, by name
}

// NewDoorkeeper reads a tokens file, and has w read it again when it changes.
func NewDoorkeeper(w *reload.Watcher, file string, store storage.Store, serve func(storage.Store) wire.Store, log zerolog.Logger) (*Doorkeeper, error) {
	d := &Doorkeeper{store: store, serve: serve, quotas: map[string]*quota{}, seen: map[string]*atomic.Int64{}}
	read := func() (*users, error) {
		all, err := readUsers(file)
		if err != nil {
			return nil, err
		}
		if _, ok := store.(storage.Meter); !ok {
			for _, u := range all.list {
				if _, limited := u.quota(); limited {
					return nil, fmt.Errorf("the quota of %s: this store cannot tell how much it holds", u.name)
				}
			}
		}
		log.Info().Str("tokens", file).Int("users", len(all.list)).Hex("sha256", all.sum[:]).Time("modified", all.modified).Msg("tokens read")
		return all, nil
	}
	failed := func(err error) {
		log.Error().Err(err).Str("tokens", file).Msg("cannot use the new tokens; the old ones stay in use")
	}
	var err error
	if d.users, err = reload.Watch(w, []string{file}, read, failed); err != nil {
		return nil, problem.Item(file, err)
	}
	reload.WarnMounted(log, file)
	return d, nil
}

// Authenticate returns whose token it is. One that was revoked before it is called
// is not accepted.
func (d *Doorkeeper) Authenticate(token string) (wire.Identity, bool) {
	u, ok := d.users.Latest().find(token)
	if !ok || u.expired() {
		return nil, false
	}
	id := &identity{d, u.name, u.hash, d.seenOf(u.name)}
	id.note()
	return id, true
}

// An identity is a user on a connection, for as long as the token is in the file.
type identity struct {
	*Doorkeeper
	name string
	hash [sha256.Size]byte
	seen *atomic.Int64
}

func (id *identity) Name() string { return id.name }

func (id *identity) Valid() bool { return id.user() != nil }

// user returns what the tokens file says of the user, or nil if the token is not
// in it any more or has ended.
func (id *identity) user() *user {
	u := id.users.Current().byName[id.name]
	if u == nil || u.hash != id.hash || u.expired() {
		return nil
	}
	return u
}

// Permit returns the store as the user may use it.
func (id *identity) Permit(op string) (wire.Store, error) {
	u := id.user()
	if u == nil || !slices.Contains(u.rights, op) {
		return nil, &wire.Error{Code: wire.CodeForbidden, Text: "this token does not allow " + op}
	}
	id.note()
	var kept storage.Store = confined{id.store, u.name, u.dir}
	if limit, ok := u.quota(); ok {
		kept = limited{kept, u.name, id.quotaOf(u.dir), limit}
	}
	return id.serve(kept), nil
}

// quotaOf returns the count of a folder.
func (d *Doorkeeper) quotaOf(dir string) *quota {
	d.mu.Lock()
	defer d.mu.Unlock()
	q := d.quotas[dir]
	if q == nil {
		q = &quota{meter: d.store.(storage.Meter), dir: dir}
		d.quotas[dir] = q
	}
	return q
}

// A Use is how much a user has of what the quota allows.
type Use struct {
	User
	Seen    time.Time     // when it did something last
	Used    storage.Usage // in the folder, of users that have a limit
	Counted bool          // whether that is known
}

// Uses lists the first users of the tokens file, no more than most. It may have to count
// what is in their folders.
func (d *Doorkeeper) Uses(ctx context.Context, most int) []Use {
	list := d.users.Current().list
	uses := make([]Use, 0, min(most, len(list)))
	for _, u := range list[:min(most, len(list))] {
		use := Use{User: u.public()}
		if at := d.seenOf(u.name).Load(); at > 0 {
			use.Seen = time.Unix(at, 0).UTC()
		}
		if _, limited := u.quota(); limited {
			used, err := d.quotaOf(u.dir).used(ctx, u.name)
			use.Used, use.Counted = used, err == nil
		}
		uses = append(uses, use)
	}
	return uses
}
