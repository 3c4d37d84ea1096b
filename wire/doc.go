// Package wire is labnet's protocol, version 1: its specification, a [Server]
// and a [Client].
//
// The specification is this comment. It is complete: a client or a server
// written from it alone works with this one.
//
// # Transport and messages
//
// The transport is a TCP connection, by custom to port 9000, or TLS over one:
// see below. Integers are
// little-endian. There are two kinds of message:
//
//	String  01         length (2 bytes)                   text in UTF-8
//	Data    02 … 09    size (1 … 8 bytes: type less one)  that many bytes
//
// A sender uses the smallest type of Data that holds the size; a receiver
// takes any. A String of a client has at most 4096 bytes, and one of a server
// as many as its length can express: 65,535. A longer String (but the first message
// of a connection is of the lab dialect then, see below), an unknown type,
// invalid UTF-8 and the end of
// the stream inside a message are protocol errors. The header alone decides,
// before anything is allocated or kept. A receiver must not depend on how TCP
// cuts the stream into pieces: any bytes it has read beyond one message begin
// the next.
//
// A String without a NUL byte is a text: something that was said. A String
// with a NUL byte is a request or a reply:
//
//	word NUL (key "=" value NUL)*
//
// The word is a file name, or one in capital letters. A key is not empty and
// holds no "="; if it comes twice, the first counts. A receiver ignores fields
// that it does not know, and a client ignores fields of replies likewise:
// that is how the protocol grows.
//
// Fields with these keys always have these forms:
//
//	size       bytes in decimal, 0 … 9223372036854775807
//	offset     likewise
//	allocated  likewise
//	ahead      a number of files in decimal
//	token      16 … 1024 bytes of any text
//	upload     a number in decimal: the n-th announcement of the connection
//	id         what identifies an upload: at most 128 bytes of any text
//	mtime      seconds since 1970-01-01 00:00 UTC, rounded down, and up to nine
//	           decimals after a point: 1732285920.123456789; ignored outside the
//	           years 1 to 9999
//	mode       permission bits in octal: 0644; 0000 is a mode like any other
//	folders    such modes, separated by commas, and nothing in place of one that
//	           is not given: 0700,,0750
//	digest     the name of a digest, see below
//	proof      such names, separated by commas, the preferred one first
//	replace    0 or other: what the file must not replace, see below
//	code       the reason of a refusal, see below
//	text       the same for people, in any words
//	unchanged  1 if the server had the same contents under that name already
//	compared   times if that is assumed because of the size and the modification time
//	quick      1 if that is enough, see below
//	check      1 if the file or folder is only to be looked for, see below
//
// and a digest's name is the key of its value in lower-case hexadecimal digits:
//
//	crc64nvme  CRC-64/NVME: reflected polynomial 9a6c9329ac4bc9b5, initial and
//	           final value all ones; the number in 16 digits, most significant
//	           first; "123456789" gives ae8b14860a799888
//	sha256     FIPS 180-4, 64 digits
//	blake3     BLAKE3 without key, 32 bytes: 64 digits; "123456789" gives
//	           b7d65b48420d1033cb2595293263b6f72eabee20d55e699d0df1973b3c9deed1
//
// A field with an empty value counts as absent. Leading zeros of numbers mean
// nothing, a point of mtime need not be followed by decimals, mtime may be negative
// (no number has a plus), a mode or an mtime may have any number of digits before the
// point, and digits of digests may be in upper case. A field that is not of its form, one
// without "=" or a key, an END without size or digest, an END, CANCEL or RESTART
// without a file to which it belongs, and a RESTART behind contents are protocol
// errors: they end the connection and all files that are under way on it.
//
// # Conversations
//
// A client may hold any number of conversations on a connection, and begin one
// before the last is answered: texts and blobs are answered in their order. C is
// the client, S the server, and 0 a NUL byte:
//
//	say      C: hello                             S: Message: hello
//	blob     C: Data                              S: OK 0 name=x7Yt93Qa.bin 0 size=5 0 crc64nvme=… 0
//	upload   C: report.pdf 0 size=4194304 0       S: OK 0 upload=1 0 offset=0 0
//	         C: Data, Data, …
//	         C: END 0 size=4194304 0 crc64nvme=… 0
//	                                              S: SAVED 0 upload=1 0 name=report.pdf 0 size=4194304 0 crc64nvme=… 0
//	refusal                                       S: ERROR 0 code=no-space 0 text=… 0
//
// say. A text is answered with a text, which may repeat what was said, even more
// than once. It is never cut: a server must not be set up in such a way that its
// reply to a text of 4096 bytes would not fit into a String.
//
// blob. A Data while no upload is open is stored under a name that the server
// makes: 8 letters and digits, and ".bin". OK promises for a blob what SAVED
// promises for a file. Its crc64nvme is the server's; the client compares it with
// its own.
//
// upload. The client announces a file: its name and what it knows about it. The
// name is relative, "/" separates directories, and at most 3072 bytes. An empty
// name asks the server to make one. A "./"
// before the name is not part of it; it is required if the name is one of
// the words END, CANCEL, RESTART, AUTH and HELLO, which are requests (HELLO of a
// later version).
//
// Names. A client sends a name as its system has it, byte for byte, so that two
// names that differ also differ at the server; a name that is not UTF-8 cannot be
// sent. Where the client's system itself treats canonically equivalent names as
// the same (macOS), it sends Unicode's form NFC, which other systems use. A server
// refuses, with the code bad-name, names
//
//   - that are absolute, or have a component that is empty, "." or "..";
//   - with a component of over 255 bytes, or more than 100 components;
//   - with control characters (category Cc), bidirectional controls (property
//     Bidi_Control), U+2028 or U+2029;
//   - that lead into what it reserves for itself, however that is spelt;
//   - that its system cannot store.
//
// A server may be told to refuse also those that some other system could not store:
// names not in form NFC, with characters that are invisible or that Windows reserves
// (< > : " | ? * \), with components that begin with a dot or end in a dot or a space,
// or that denote a device on Windows. The text says which rule it is. The server stores all other names unchanged.
//
// The fields of an announcement are size (absent if the client does not know
// it), id (absent if it cannot be resumed), allocated, mtime, mode, folders,
// replace, digest (absent for crc64nvme), proof, and blake3 or sha256. The server
// answers ERROR, or OK with the number of the upload and
// the offset from which it wants the contents. The number counts all announcements
// of the connection, also those of folders and those that are refused. The client
// waits for the OK before it sends contents: after a refusal they would belong to the
// next file, or be a blob. They follow as Data of any sizes, even empty
// ones, which a client whose source is slow sends to show that it is alive.
//
// The client ends the file with END, which has the size and the digest of all
// contents, in the digest's field. The server compares both with what it
// received, and the size with the one announced, and publishes the file only
// if all agree. It answers SAVED, with the name that the file was published
// under, its size and its digest, only when contents and name are safe from a
// power failure. A client reports success only on a SAVED with its own digest. Or
// the client gives up the file with
//
//	CANCEL 0
//
// which is answered with ERROR, code cancelled. It may come only between two
// Data; inside one, the client can only close the connection.
//
// Resuming. When a connection ends in the middle of an upload that had a size
// and an id, the server keeps the bytes that it has, for some time. It may then
// answer an announcement with the same id with an offset above 0, and a digest of
// the bytes before it in that digest's field:
//
//	OK 0 upload=1 0 offset=3145728 0 blake3=… 0
//
// The client compares that with the digest of its own first bytes. If they
// agree it sends the rest from the offset on; the size and the digest of END are
// still those of the whole file. If not, it first sends
//
//	RESTART 0
//
// which drops those bytes and has no answer, and then everything. It may also come
// where there are none, and more than once.
//
// Proofs. Somebody else may have sent these bytes, so a checksum proves nothing of
// them: for a CRC, anybody can make others that have the same. The field proof says
// which digests the client can compare; of these, sha256 and blake3 are proofs. The
// server chooses one of them, or the file's own digest if that is one. It offers
// nothing to a client without any. To an OK with an offset but without a proof (a
// server older than this field gives the file's own digest), a client answers RESTART.
//
// Unchanged files. To an announcement with size and proof, with or without an id, the
// server may also answer with the size as the offset and a proof of a file that it
// has under that name, or under one that it would choose if the name is taken. The
// client sees no difference to an upload that was interrupted at its end: it sends
// END, or RESTART and everything. If the file changed before END came, the server
// answers ERROR with the code mismatch. A client that has read all of a file before
// it announces it can instead tell a digest of the contents, in the field blake3 or
// sha256. If the server has a file of that name, size and digest, it answers, in place of OK,
//
//	SAVED 0 upload=1 0 unchanged=1 0
//
// and contents and END do not follow. The field name is there if the file has another
// name than the one announced. An unchanged file gets the modification time and the
// mode that were announced, and is made durable before it is called SAVED. Unless
// SAVED has the field compared, unchanged=1 means that all contents were compared, or
// proofs of them. So a client that missed a SAVED and announces the file again need not
// send it a second time.
//
// Grown files. The server may likewise offer a shorter file that has that name, with its
// size as the offset, since the announced one may begin with the same bytes. The client
// sends the rest, or RESTART and everything. Nothing is done to the shorter file before
// END, and then only what is done to any file whose name is taken. If it changes before the
// rest comes, the server answers ERROR with the code mismatch.
//
// An id belongs to one file of one sender. A client makes it by a cryptographic
// hash from a random secret, which it keeps from one run to the next and shows to
// nobody, and from the file's place, name, size and modification time. Then a file
// that was changed has another id, files of different senders never share one,
// and others can neither guess an id nor take over the upload. (If they do, they
// can only make the client send everything.) A server treats ids
// of different users as different.
//
// Assumed. With quick=1, a server may take a file of that name, size and mtime for the
// same without comparing anything. It answers as for one whose digest was told in
// advance, with compared=times and no digest. Servers that do not know the field, or
// have no file of that time, compare as usual.
//
// Checks. With check=1, a server stores nothing and changes nothing, but for making
// durable what it calls SAVED. It answers ERROR, code absent or different, if it has
// no such file or another one under that name; otherwise it continues as with any
// file that may be unchanged, and answers RESTART with ERROR, code different. An id is
// ignored. Contents must not be sent: a client that gets an OK without an offer of all
// bytes, from a server that does not know the field or cannot do that, cancels the
// file. A folder is checked by its name with "/." behind it, which other servers refuse.
//
// Takeover. An announcement whose id another connection still sends ends that
// connection, with ERROR, code superseded: a client whose network dropped can
// come back at once. The field upload says which file of the old connection
// that was. Its client must not retry that one; others that were under way
// may be sent over another connection. Files that were ended may have been stored
// although no answer arrived.
//
// Sparse files. A client may say with allocated= how many bytes a file of known
// size takes up on its disk, if they are fewer because long runs of zeros are not
// stored. It sends these zeros like all other contents. A server may go by that
// number instead of the size when it refuses a file, and omit zeros likewise.
//
// Folders. An announcement whose name ends in "/" asks for a folder, without
// contents. It is answered at once with SAVED, which has only the name, when
// the folder and those above it are durable, or with ERROR.
//
// Permissions. What a server stores has no permission that was not announced;
// it may have fewer (a umask). Bits other than those of mode 0777 are ignored.
// A file without a mode has at most 0666. The field folders gives the modes
// of the folders that lead to the name of a file or folder, the outermost first:
// at most one for each slash, not counting that after a folder's name. A
// folder has at most 0755 if its mode is not given, and its owner always has all
// permissions, so that 0000 becomes 0700. A server gives a folder its mode
// when it makes it, and does not change one that exists. So a client gives the
// modes of folders with every file in them, whichever is stored first, unless they
// are 0755.
//
// A name that is taken is not overwritten, unless the server was told to: the
// file is stored under another one, such as "report (2).pdf", which SAVED gives.
// The same contents again under the same name are not stored twice: SAVED then
// has unchanged=1.
//
// A server that was told to overwrite must not overwrite what the same client has
// just sent. So a client that announces the same name for another of its files
// adds replace=0. It adds replace=other if the two names differ in spelling only:
// in upper and lower case, or in Unicode's normalization. Some servers treat those
// as the same name and others do not. With replace=0 the server overwrites nothing;
// with replace=other it overwrites nothing if it treats the two as the same. It
// stores the file under another name. Any other value means 0. This also applies to
// names that the server may have made: "a (2)" after two files called "a"; and when
// a file is sent again although another of that name was announced meanwhile. The
// server accepts such a file only once it is the oldest, and those before it on
// the connection are published.
//
// Announcing ahead. A client may announce up to 128 files that it has not yet
// ended or seen refused. The OKs arrive in the order of the announcements, and
// possibly late: a server that is short of resources may accept a file only once it
// is the oldest and those before it are safe. So a client waits for the OK of
// the file that it is about to send, and of no other. Data,
// END, CANCEL and RESTART belong to the oldest file that was accepted and has not
// ended. After an END the client continues with the next file at once; the server
// makes many files safe at the same time, but those of the same name one after
// the other. The answers to END, CANCEL, texts and blobs come in the order of
// these messages, but nothing is promised between the two orders: the field
// upload says which file an OK, a SAVED or an ERROR is about. A client must
// read the answers while it sends: a server that cannot send them stops
// receiving.
//
// To a client that has announced 64 files, a server may say in an OK or a SAVED that it
// may announce more:
//
//	OK 0 upload=64 0 offset=0 0 ahead=8192 0
//
// Then the client may announce as many, instead of 128, as long as the texts of these
// announcements have at most 256 bytes each on average; 128 may be longer in any case.
// So ten thousand small files cost a handful of round trips.
//
// Early refusal. A server that cannot continue an upload (because the disk is full,
// say) answers ERROR at once, out of order. What the client has yet to send of
// the file is discarded, and END or CANCEL then gets no further answer; the
// client sends one of them, so that both sides know where the file ends. A
// server may instead close the connection when more than 64 MiB of a refused Data
// remain.
//
// Waiting. A server that works on an answer for long, or receives a large Data
// slowly, sends
//
//	WAIT 0
//
// every 5 seconds. It means only that the server is still at work. A client counts
// it as progress, whether it waits for an answer or cannot send more.
//
// # Refusals
//
// An ERROR without the field upload answers a blob or an unknown request, in
// their order, or is about the connection, which then ends. The code is stable.
// "later" marks those after which the same request may soon succeed by itself,
// and "ends" those after which the server closes the connection; a server that
// is shutting down first lets the files under way on it end. After the others the
// conversation continues.
//
//	protocol     ends   the bytes are not this protocol
//	tls-required ends   the server speaks inside TLS only
//	denied       ends   the server requires a token, and this one is wrong, missing
//	                    or revoked; or one was shown in the clear
//	forbidden           the token does not permit that
//	quota               the quota of this token's user is used up
//	unsupported         a request or digest that the server does not support
//	bad-name            the file name breaks the server's rules
//	absent, different   what was to be checked is not there, or is another one
//	exists              the name is taken, and the server was told to refuse that
//	too-large           over the server's limit for one file, or one text
//	too-many     later  too many files announced ahead, or more connections
//	                    of this client send files than the server allows
//	mismatch     later  size or digest differ from what arrived
//	cancelled           the client cancelled the file
//	in-use       later  this connection sends an upload of that id already
//	superseded   ends   another connection announced the same id
//	no-space            the store is full
//	read-only           the store failed and stores nothing more
//	degraded     later  what the store is kept on does not work at the moment, or
//	                    was removed
//	timeout      ends   nothing was received for too long; later
//	too-slow     ends   too few bytes came for too long; later
//	busy         ends   too many connections, or too many errors of this client
//	                    before; later
//	shutdown     ends   the server is shutting down; later
//	internal            the server failed; its log says why
//
// # One port for everything
//
// The first byte tells what a connection is, or the first line:
//
//	none, then the end of the stream      a ping: the server ends its stream too. If
//	                                      it cannot store anything, or refuses all that
//	                                      begins in this way, it sends ERROR first
//	01 and a length of at most 4096,      this protocol
//	or 02 … 09
//	01 and anything else                  the lab dialect
//	a request line of HTTP                HTTP, see below
//	a printable ASCII character, or the   raw text: all up to the end of the stream,
//	first byte of a longer UTF-8 one      4096 bytes or 100 ms of silence; answered
//	                                      with bare bytes, and closed
//	16                                    TLS; the same table applies inside it
//	anything else                         a protocol error
//
// Data is the same in this protocol and in the lab dialect; where it comes
// first, the first String decides. What would be the high byte of a length is
// the second character of a text in the lab dialect, at least 20, so that only
// texts of one character or of control characters could be confused. A 01 and
// one printable character count as such a text if the stream ends after them
// or nothing follows for a second.
//
// A web page can make a browser send an HTTP request to this port. So a connection
// whose first line is a request line of RFC 9112, section 3, is never a text:
//
//	token " " (any bytes but space and LF) " HTTP/" digit "." digit (CR or LF)
//
// It is HTTP, in the clear, inside TLS and in every dialect. A server that serves
// HTTP does so on this connection, but not in the clear if it has a certificate. Any
// other refuses it before anything else is asked of it: nothing is kept, the answer is
// that of HTTP with the status 501, and the connection ends. A last line that lacks only its end is such a
// line. So is one of 256 bytes or more that is cut off, by the end of the
// stream or by 100 ms of silence, if its second word begins with "/"; and one that
// is not known to be another after 32 KiB.
//
// # TLS
//
// A server that has a certificate accepts TLS 1.3 or later (RFC 8446) and nothing
// in the clear: it answers ERROR with the code tls-required, or texts of the
// other dialects with the bare bytes "ERROR: " and a reason, and stores nothing. A ping
// is answered with that ERROR, too. A server without a certificate answers a TLS hello with ERROR,
// code protocol, in the clear.
//
// The stream ends where the peer says so by close_notify. If TCP ends without
// that, the stream was cut off, even between two messages: it ends no text, no
// ping and no answer.
//
// A client sends nothing inside TLS before it has verified that the server is the
// right one: by a chain of certificates and the host's name, or by the key alone.
// The name of a key, its fingerprint, is "sha256:" and the 64 hexadecimal digits
// of SHA-256 of the certificate's SubjectPublicKeyInfo. Where a client was told a
// fingerprint, the names, the dates and the issuer in the certificate mean nothing.
// There is no application protocol (ALPN), no certificate of the client, and no
// early data, which others could replay.
//
// # Tokens
//
// A token identifies a client to a server. It is a secret that both know; the
// server needs to know only its SHA-256. A client that has one sends it first,
// inside TLS and before anything else:
//
//	AUTH 0 token=… 0
//
// It need not wait for the answer, which is the first on the connection: OK
// without fields, or ERROR. A stream that ends after AUTH is a ping.
//
// A server that requires a token accepts nothing before AUTH. Whatever else begins a
// connection is refused as AUTH is with a token that is wrong or revoked: by ERROR
// with the code denied and always the same text, or in the other dialects by
// "ERROR: " and that text; and the connection ends. Nothing is stored and nothing is
// revealed, not even the state of the store. A stream that is empty is refused likewise, so
// that a monitor without a token is not told that all is well. If a token
// is revoked, its connections end at their next message or in the middle of a
// Data. A token may permit only some of texts, blobs and uploads, which include
// folders; the others are refused with the code forbidden. Uploads of
// the same id by different users are different uploads.
//
// A server that requires no token accepts any: the client has verified the server.
// AUTH that is not the first message is a protocol error. In the clear it is
// refused with the code denied, and a client never sends it there.
//
// # The lab dialect
//
// The lab dialect is what programs speak that were written in the course where the
// protocol began. A text is 01 and UTF-8 without a length, ended by the end of
// the stream, 4096 bytes, 100 ms of silence or the type of the next message:
// a byte 01 … 08, or a 09 followed by a size below 2 to the power of 48. (If
// less than a size follows the 09, a byte below 09 in it shows that the 09
// is not a tab.)
// Replies are bare bytes. Many of these programs close the connection without
// reading one.
//
// A server that recognises the dialect answers every text with OK, in two bare
// bytes, and uses it as the name of a Data that may follow; more texts and
// Data may follow on the same connection. A Data without a name of its own gets
// one from the server. A refusal is the bare bytes "ERROR: " and a reason, and
// ends the connection. Nothing acknowledges contents: they are stored, as safely
// as others, if every byte arrived, and if what follows shows that the size was
// read rightly: the end of the stream, 100 ms of silence, a name or, without a task,
// another message. Otherwise the size may be big-endian, or have 4 bytes
// behind a type of 02, if the contents then end with the stream; what
// fits none of these is refused. A server without a task refuses a first message 02
// behind which other bytes than messages come, together with it or, if it came in
// pieces, within 100 ms; it waits for the end of a further Data, at most 32 KiB.
// A 01 alone may be followed by its text as late as any message. What comes after
// the only text of a connection, or the only file, is not read.
//
// By task, for a Server and a LabClient that are told one:
//
//	1, 2    the server closes every connection at once
//	3       raw text, as above
//	4       client: 01 and text, or 02 and bytes up to the end of the stream; no replies
//	5       as 4, but 02 … 09 with a size, as in Data
//	6       client: 01 and a name; server: OK; client: Data; both close
//	extra   as 6, but further files follow on the same connection
//
// In Task 6 and extra a Data before a name is refused. A LabScheme has sizes of
// one width behind 02, big-endian numbers, or names with their length in front.
//
// # Time
//
// A server closes a connection on which nothing comes for 5 minutes between
// messages, a String takes over 10 seconds to arrive, or a body or a reply
// stands still for 30 seconds; a TLS handshake must finish within 10 seconds, and handshake and AUTH together within 30 seconds of connecting. Of a body at least 1024 bytes must
// arrive per second, on average over 60 seconds in which the server waits for
// them, and as many of a reply must be received. These are defaults. While it owes
// an answer, the 5 minutes do not run.
//
// # Busy servers
//
// A server that accepts no more connections sends ERROR, code busy, once the first
// byte of the client has shown its dialect, or after two seconds; if there are
// many such clients, at once or not at all. It treats clients in the same way whose
// address has repeatedly sent broken messages or wrong tokens. A client retries
// after an increasing, randomised delay.
package wire
