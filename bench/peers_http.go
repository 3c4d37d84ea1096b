package main

// http returns curl, which puts files into nginx and, by the same lines, into labnet: one
// after the other, in parallel, and encrypted.
func http() []contestant {
	list := func(scheme string) string {
		return `sed "s|.*|upload-file = \"$SRC/&\"\nurl = \"` + scheme + `://127.0.0.1:$PORT/$NAME/&\"|" "$LIST" >"$CONF/list"`
	}
	server := contestant{
		needs:  []string{"curl", "nginx"},
		config: map[string]string{"nginx.conf": nginxConfig},
		server: `exec nginx -e stderr -p "$CONF" -c nginx.conf`,
	}

	curl, parallel, encrypted := server, server, server
	curl.name, curl.note, curl.plain = "curl", "PUT to nginx, over one connection where one process sends all, without asking for 100-continue", true
	curl.does = map[kind]task{
		file:   {client: `exec curl -sSf -H Expect: -T "$SRC" "http://127.0.0.1:$PORT/"`},
		folder: {before: list("http"), client: `exec curl -sSf -H Expect: -K "$CONF/list"`},
		each:   {client: forEach(`curl -sSf -H Expect: -T "$f" "http://127.0.0.1:$PORT/"`)},
	}
	parallel.name, parallel.note, parallel.plain = "curl -Z", "the same with `-Z`: 50 files at a time", true
	parallel.does = map[kind]task{
		folder: {before: list("http"), client: `exec curl -sSf -H Expect: -Z -K "$CONF/list"`},
	}

	encrypted.name, encrypted.note, encrypted.encrypted = "curl", "for encrypted work, to nginx with TLS 1.3", true
	encrypted.needs = append(encrypted.needs, "openssl")
	encrypted.setup = `openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost \
		-addext subjectAltName=IP:127.0.0.1 -keyout "$CONF/key.pem" -out "$CONF/cert.pem"`
	encrypted.config = map[string]string{"nginx.conf": nginxConfigTLS}
	encrypted.does = map[kind]task{
		file: {client: `exec curl -sSf -H Expect: --cacert "$CONF/cert.pem" -T "$SRC" "https://127.0.0.1:$PORT/"`},
	}
	return []contestant{curl, parallel, toLabnet(curl), toLabnet(parallel), encrypted}
}

// toLabnet has curl send to labnet what it sends to nginx.
func toLabnet(curl contestant) contestant {
	curl.name, curl.note = curl.name+" to labnet", "the same lines, but to labnet: durable when it says done"
	curl.needs, curl.config, curl.server = []string{"curl"}, nil, serve
	curl.toLabnet = true
	return curl
}

const nginxHead = `
daemon off;
pid ${CONF}/pid;
${NGINX_USER}
worker_processes auto;
worker_rlimit_nofile 16384;
error_log stderr;
events { worker_connections 16384; }
http {
	access_log off;
	client_max_body_size 0;
	client_body_temp_path ${DEST}/.body;
	keepalive_timeout 600;
	keepalive_requests 1000000;
	server {
`

const nginxTail = `
		root ${DEST};
		location / {
			dav_methods PUT;
			create_full_put_path on;
		}
	}
}
`

const (
	nginxConfig    = nginxHead + `listen 127.0.0.1:${PORT} backlog=4096;` + nginxTail
	nginxConfigTLS = nginxHead + `listen 127.0.0.1:${PORT} ssl; ssl_protocols TLSv1.3;
		ssl_certificate ${CONF}/cert.pem; ssl_certificate_key ${CONF}/key.pem;` + nginxTail
)
