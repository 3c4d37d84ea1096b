package client

import "os"

// localUser is what this machine tells the user from others by.
func localUser() string { return os.Getenv("USERDOMAIN") + `\` + os.Getenv("USERNAME") }

// ownerOfHome has no numbers for users here: there is no sudo either that keeps
// the home of another user.
func ownerOfHome(string) int { return -1 }
