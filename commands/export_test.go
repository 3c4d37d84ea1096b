package commands

import (
	"github.com/labnet/labnet/storage"
	"github.com/labnet/labnet/wire"
)

// Keeper lets tests run a wire.Server on a storage.Store as serve does.
func Keeper(s storage.Store) wire.Store { return keeper{s} }
