package main

// ofStorage are the steps of names and locks, for every store.
var ofStorage = []mutant{
	{"an absolute name", "storage/name.go", "case strings.HasPrefix(name, \"/\"):\n\t\treturn \"it is absolute\"\n", "", "TestNames"},
	{"a name that is not UTF-8", "storage/name.go", "case !utf8.ValidString(name):\n\t\treturn \"it is not valid UTF-8\"\n", "", "TestNames"},
	{"a name of many parts", "storage/name.go", "case strings.Count(name, \"/\") >= maxDepth:", "case false:", "TestNames"},
	{"dots", "storage/name.go", "case component == \".\" || component == \"..\":", "case component == \".\":", "TestNames"},
	{"an empty part", "storage/name.go", "case component == \"\":\n\t\t\treturn \"it has an empty component\"\n", "", "TestNames"},
	{"a long part", "storage/name.go", "case len(component) > maxComponent:", "case false:", "TestNames"},
	{"a long folder", "storage/name.go", "case strings.LastIndexByte(name, '/') > maxFolders:", "case false:", "TestNames"},
	{"characters that mislead", "storage/name.go", "if what := misleading(r); what != \"\" {", "if what := misleading(r); what == \"-\" {", "TestNames"},
	{"the hidden folder", "storage/name.go", "isReserved(top) {\n\t\treturn ReservedReason(top)", "false {\n\t\treturn ReservedReason(top)", "TestNames"},
	{"names are folded for locks", "storage/locks.go", "for l.Held[name] {\n\t\tl.freed.Wait()\n\t}\n", "", "TestNameLocksIgnoreCase"},
	{"names are locked whatever their case", "storage/locks.go", "func (l *NameLocks) Lock(name string) {\n\tname = foldName(name)\n", "func (l *NameLocks) Lock(name string) {\n", "TestNameLocksIgnoreCase"},
}
