package main

// ssh returns scp and sftp, against a server and with keys of their own.
func ssh() []contestant {
	const options = `-q -F "$CONF/ssh_config"`
	daemon := contestant{
		needs: []string{"ssh", "scp", "sftp", "sshd", "ssh-keygen"},
		plain: true, encrypted: true,
		setup: `ssh-keygen -q -t ed25519 -N '' -f "$CONF/host" && ssh-keygen -q -t ed25519 -N '' -f "$CONF/user" &&
			cp "$CONF/user.pub" "$CONF/authorized" && { [ "$(id -u)" != 0 ] || mkdir -p /run/sshd; }`,
		config: map[string]string{"sshd_config": sshdConfig, "ssh_config": sshConfig},
		server: `exec "$(command -v sshd)" -D -e -f "$CONF/sshd_config"`,
	}

	scp, sftp := daemon, daemon
	scp.name, scp.note = "scp", "default ciphers, sshd with internal-sftp"
	scp.does = map[kind]task{
		file:   {client: `exec scp ` + options + ` "$SRC" "server:$DEST/"`},
		folder: {client: `exec scp ` + options + ` -r "$SRC" "server:$DEST/"`},
		each:   {client: forEach(`scp ` + options + ` "$f" "server:$DEST/"`)},
	}
	sftp.name, sftp.note = "sftp", "the same, with `put -r`"
	sftp.does = map[kind]task{
		file:   {client: `echo "put $SRC $DEST/" | sftp ` + options + ` -b - server`},
		folder: {client: `echo "put -r $SRC $DEST/" | sftp ` + options + ` -b - server`},
		each:   {client: forEach(`echo "put $f $DEST/" | sftp ` + options + ` -b - server`)},
	}
	return []contestant{scp, sftp}
}

const sshdConfig = `
ListenAddress 127.0.0.1
Port ${PORT}
HostKey ${CONF}/host
AuthorizedKeysFile ${CONF}/authorized
PidFile none
StrictModes no
UsePAM no
UseDNS no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 1000
LogLevel ERROR
Subsystem sftp internal-sftp
`

const sshConfig = `
Host server
	HostName 127.0.0.1
	Port ${CLIENT_PORT}
	User ${USER}
	IdentityFile ${CONF}/user
	IdentitiesOnly yes
	StrictHostKeyChecking no
	UserKnownHostsFile /dev/null
	LogLevel ERROR
`
