package main

// objectTests are those of the store in an object store that need no network.
const objectTests = "TestJoin|TestPartSizes|TestKilledClaimant|TestWrongClock|TestPassingFaults|TestLastingFaults|TestErr|" +
	"TestFlippedBit|TestSpoiledPart|TestOtherSum|TestOthersLeftovers|TestExpiry|TestPause|TestKilledExpiry|" +
	"TestExpiryMeetsUpload|TestBounds|TestFewLookups|TestMemory|TestFavourite|TestCloseWhileWaiting|TestNeeds|" +
	"TestOfferedObjectChanges|TestKilledBeforeDigest|TestLostAnswerOfResumed|TestOthersFile|TestCloseWhileReading|" +
	"TestContract|TestContractInParts|TestPortableNames|TestUnlistableNames|TestKilledServer|TestSuspendedServer|" +
	"TestTakeover|TestReplacedPart|TestClaims|TestTakenMeanwhile|TestAnotherName|TestAnotherDigest|TestSpoiledTail|" +
	"TestDeadClaim|TestStoredBeforeClaim|TestObjectChangesWhileRead|TestResumeOfReplacedPart"

// ofObjects are the steps of the store in an object store.
var ofObjects = []mutant{
	// Nothing is overwritten.
	{"a name that is taken", "storage/s3/client.go", "o.SetMatchETagExcept(\"*\")\n", "", objectTests},
	{"a state that another server has written", "storage/s3/client.go", "o.SetMatchETag(c.etag)\n", "", objectTests},
	{"a name that was taken at the end", "storage/s3/client.go", "minio.ChecksumFullObjectMode.Key(): minio.ChecksumFullObjectMode.String(),\n\t}}\n\tonly.apply(&o)\n", "minio.ChecksumFullObjectMode.Key(): minio.ChecksumFullObjectMode.String(),\n\t}}\n", objectTests},
	{"a large file has a claim on its name", "storage/s3/publish.go", "if live {\n\t\terr = errClaimed\n\t}\n", "_ = live\n", objectTests},
	{"a claim of another upload", "storage/s3/state.go", "if live, err := s.isLive(ctx, old, o); live || err != nil {\n\t\t\treturn false, err\n\t\t}\n", "", objectTests},
	{"a claim that has no state yet", "storage/s3/state.go", "return true, nil // it may have no state yet", "", objectTests},
	{"a claim of an upload that has ended", "storage/s3/state.go", "return st.Token == c.Token && st.Live && s.age(o) < staleTime, nil", "return st.Token != \"\", nil", objectTests},
	{"a name that was stored since its claim", "storage/s3/resume.go", "if !exists && err == nil {\n\t\t\treturn n, nil\n\t\t}", "if err == nil || exists {\n\t\t\treturn n, nil\n\t\t}", objectTests},
	{"a file in place of a folder", "storage/s3/folders.go", "return &storage.NameError{Name: name, Reason: \"it is a folder here\"}", "return nil", objectTests},
	{"a folder in place of a file", "storage/s3/folders.go", "if exists {\n\t\t\t\t\terr =", "if exists && false {\n\t\t\t\t\terr =", objectTests},

	// What is stored is what was sent.
	{"the sum of an object", "storage/s3/client.go", "UserMetadata:         map[string]string{minio.ChecksumCRC64NVME.Key(): sum.String()},", "UserMetadata:         map[string]string{},", objectTests},
	{"the sum of a part", "storage/s3/client.go", "CustomHeader:         http.Header{http.CanonicalHeaderKey(minio.ChecksumCRC64NVME.Key()): {p.sum.String()}},\n", "", objectTests},
	{"the sum of all parts", "storage/s3/client.go", "minio.ChecksumCRC64NVME.Key():      sum.String(),\n", "", objectTests},
	{"the sender's digest", "storage/s3/publish.go", "err = storage.Sum{Size: p.size, Digest: digest}.Compare(p.file, want)\n", "_ = want\n", objectTests},
	{"more than was announced", "storage/s3/receive.go", "if p.file.Size >= 0 && int64(len(b)) > p.file.Size-p.size {", "if p.file.Size >= 0 && int64(len(b)) > p.file.Size-p.size+1 {", "TestContract"},
	{"the sum of a tail", "storage/s3/resume.go", "if p.part.sum.String() != st.TailSum {\n\t\treturn errUnreadable\n\t}\n", "", objectTests},
	{"the sum of parts that are there", "storage/s3/resume.go", "if p.size != st.Hashed || p.sum.String() != st.HashSum || !p.restore(st) {", "if !p.restore(st) {", objectTests},
	{"the same upload goes on here already", "storage/s3/store.go", "if s.partials[p.stateKey] != nil {\n\t\treturn storage.ErrInUse\n\t}\n", "", objectTests},
	{"another server has taken over", "storage/s3/state.go", "if rerr != nil || now.Token != p.token || now.Turn != p.turn {", "if rerr != nil || now.Token == \"\" {", objectTests},
	{"what is unchanged has the digest", "storage/s3/proof.go", "return noted == own, err\n", "return true, err\n", objectTests},
	{"what is unchanged has the bytes", "storage/s3/publish.go", "return p.sameBytes(ctx, o)\n", "return true, nil\n", objectTests},
	{"a digest is about one object", "storage/s3/proof.go", "if d.ETag != o.etag {\n\t\treturn \"\", err\n\t}\n", "", objectTests},
	{"what was compared is still there", "storage/s3/original.go", "if err == nil && (!exists || now.etag != p.original.object.etag) {", "if err == nil && !exists && now.etag == \"?\" {", objectTests},
	{"an object that changes while it is read", "storage/s3/proof.go", "if now.etag != o.etag {\n\t\treturn false, nil\n\t}\n", "_ = now\n", objectTests},

	// The object store does what all of that needs.
	{"the object store keeps to conditions", "storage/s3/probe.go", "if err := must.try(); !errors.Is(err, errCondition) {", "if err := must.try(); err == errNoCopy {", "TestCarelessObjectStore"},

	// Limits.
	{"memory of parts", "storage/s3/memory.go", "if m.used+n <= m.limit || m.favourite == p {", "if true {", objectTests},
	{"one part may exceed the memory", "storage/s3/memory.go", "m.favourite = p\n", "", "TestFavourite"},
	{"folders that are looked up", "storage/s3/store.go", "lookups:  make(chan struct{}, maxAllLookups)", "lookups:  make(chan struct{}, 100000)", "TestFewLookups"},
	{"folders of one name that are looked up", "storage/s3/folders.go", "all.SetLimit(maxLookups)\n", "", "TestFewLookups"},
	{"what has expired", "storage/s3/leftovers.go", "l.left && (l.useless || age > s.o.Partials.Age)", "l.left && (l.useless || age < 0)", objectTests},
	{"what nobody can continue with", "storage/s3/leftovers.go", "l.left && (l.useless || age > s.o.Partials.Age)", "l.left && age > s.o.Partials.Age", objectTests},
	{"too many leftovers", "storage/s3/leftovers.go", "\ts.trimLeft(ctx)\n\treturn s.removeClaims(ctx)", "\treturn s.removeClaims(ctx)", "TestBoundsAtStart"},
	{"too many leftovers, at once", "storage/s3/leftovers.go", "case s.trim <- struct{}{}:\n", "", objectTests},
	{"a leftover that somebody has gone on with", "storage/s3/leftovers.go", "sumOf(gone.head), nil, condition{etag: l.etag})", "sumOf(gone.head), nil, condition{})", objectTests},
	{"an upload that pauses is not left", "storage/s3/store.go", "s.chores.Go(s.renew)\n", "", "TestPause"},
	{"the object store's clock", "storage/s3/clock.go", "c.ahead = max(least, min(c.ahead, most))\n", "_, _ = least, most\n", "TestWrongClock"},
}
