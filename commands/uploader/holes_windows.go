package uploader

import "os"

// allocated is not told by what os.Stat returns here.
func allocated(info os.FileInfo) int64 { return info.Size() }
