const $ = id => document.getElementById(id)
const rotate = (x, n) => x >>> n | x << 32 - n

// A Sha256 is a digest (FIPS 180-4) of pieces: crypto.subtle takes all at once, and only over HTTPS.
class Sha256 {
  static primes = Array.from({ length: 312 }, (_, n) => n).filter(n => n > 1 && ![2, 3, 5, 7, 11, 13, 17].some(p => n > p && n % p === 0))
  static fraction = x => x % 1 * 2 ** 32
  static round = Int32Array.from(Sha256.primes, p => Sha256.fraction(Math.cbrt(p)))
  state = Int32Array.from(Sha256.primes.slice(0, 8), p => Sha256.fraction(Math.sqrt(p)))
  words = new Int32Array(64)
  rest = new Uint8Array(0)
  size = 0

  // add takes a multiple of 64 bytes, unless they are the last.
  add(bytes) {
    let at = 0
    for (; at + 64 <= bytes.length; at += 64) this.block(bytes, at)
    this.rest = bytes.subarray(at)
    this.size += bytes.length
    return this
  }

  block(bytes, at) {
    const w = this.words, k = Sha256.round, s = this.state
    const view = new DataView(bytes.buffer, bytes.byteOffset + at, 64)
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(4 * i)
    for (let i = 16; i < 64; i++) {
      const x = w[i - 15], y = w[i - 2]
      w[i] = (w[i - 16] + w[i - 7] | 0) + ((rotate(x, 7) ^ rotate(x, 18) ^ x >>> 3) + (rotate(y, 17) ^ rotate(y, 19) ^ y >>> 10) | 0) | 0
    }
    let a = s[0], b = s[1], c = s[2], d = s[3], e = s[4], f = s[5], g = s[6], h = s[7]
    for (let i = 0; i < 64; i++) {
      const x = (h + (rotate(e, 6) ^ rotate(e, 11) ^ rotate(e, 25)) | 0) + ((e & f ^ ~e & g) + (k[i] + w[i] | 0) | 0) | 0
      const y = (rotate(a, 2) ^ rotate(a, 13) ^ rotate(a, 22)) + (a & b ^ a & c ^ b & c) | 0
      h = g; g = f; f = e; e = d + x | 0; d = c; c = b; b = a; a = x + y | 0
    }
    s[0] += a; s[1] += b; s[2] += c; s[3] += d; s[4] += e; s[5] += f; s[6] += g; s[7] += h
  }

  hex() {
    const rest = this.rest.length, end = new Uint8Array(rest < 56 ? 64 : 128)
    end.set(this.rest)
    end[rest] = 0x80
    new DataView(end.buffer).setBigUint64(end.length - 8, BigInt(this.size) * 8n)
    this.add(end)
    return Array.from(this.state, word => (word >>> 0).toString(16).padStart(8, '0')).join('')
  }
}

const hex = bytes => Array.from(bytes, b => b.toString(16).padStart(2, '0')).join('')
const base64 = text => btoa(String.fromCharCode(...new TextEncoder().encode(text)))

function sizeOf(n) {
  let unit = 0
  for (; n >= 1024 && unit < 5; unit++) n /= 1024
  return (unit && n < 10 ? n.toFixed(1) : Math.round(n)) + ' ' + ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][unit]
}

// refusal is the error about what a server answers in place of what it was asked for, or that it does not.
function refusal({ status, responseText }) {
  let told = {}
  try { told = JSON.parse(responseText) } catch { }
  const words = [told.detail || 'the server answered ' + status, told.hint].filter(Boolean).join(': ')
  const passes = [0, 408, 460, 500, 502, 503, 504].includes(status) || status === 409 && ['mismatch', 'in-use'].includes(told.code)
  return Object.assign(new Error(status ? words : 'the server cannot be reached'), { status, passes })
}

const tus = { 'Tus-Resumable': '1.0.0' } // the protocol of resumable uploads, see docs/http.md

// ask sends a request, of which a file is told how much was sent: fetch cannot tell that.
function ask(method, url, headers, body, item) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open(method, url)
    if (token) request.setRequestHeader('Authorization', 'Bearer ' + token)
    for (const name in headers) request.setRequestHeader(name, headers[name])
    request.onload = () => request.status < 300 ? resolve(request) : reject(refusal(request))
    request.onerror = request.onabort = () => reject(refusal(request))
    if (item) item.request = request
    if (body && item) request.upload.onprogress = e => item.sent(e.loaded)
    request.send(body)
  })
}

let token = sessionStorage.getItem('token') || '' // kept for as long as the tab is open, so that it can be reloaded

// tokenIn reads a token or an invitation (docs/invitation.md).
function tokenIn(text) {
  const invitation = /labnet1-(.*)/is.exec(text)
  if (!invitation) {
    if (!/^[!-~]+$/.test(text = text.trim())) throw new Error('This is not a token.')
    return text
  }
  const bytes = []
  let bits = 0, value = 0
  for (const c of invitation[1].toLowerCase().replace(/[il]/g, '1').replace(/o/g, '0').replace(/[^0-9a-z]/g, '')) {
    value = value << 5 & 0xfff | '0123456789abcdefghjkmnpqrstvwxyz'.indexOf(c)
    if ((bits += 5) >= 8) bytes.push(value >> (bits -= 8) & 0xff)
  }
  const end = 2 + (bytes[0] << 8 | bytes[1])
  const check = new Sha256().add(Uint8Array.from([...new TextEncoder().encode('labnet1-'), ...bytes.slice(0, end)])).hex()
  if (check.slice(0, 8) !== hex(bytes.slice(end, end + 4))) throw new Error('The invitation has a typing error, or is cut off.')
  for (let at = 2, next; at < end; at = next) {
    next = at + 3 + (bytes[at + 1] << 8 | bytes[at + 2])
    if (bytes[at] === 3) return String.fromCharCode(...bytes.slice(at + 3, next))
  }
}

// use learns from the server whose token it is.
async function use(given) {
  token = given
  const { user } = JSON.parse((await ask('GET', '/whoami')).responseText)
  if (token) sessionStorage.setItem('token', token)
  $('where').textContent = ' to ' + location.host + (user ? ' as ' + user : '')
}

// needAccess has the person give a token that the server accepts.
function needAccess(why) {
  token = ''
  sessionStorage.removeItem('token')
  $('denied').textContent = why.message
  $('access').hidden = false
  $('secret').focus()
  return new Promise(resolve => $('access').addEventListener('close', resolve, { once: true }))
}

$('access').onsubmit = async e => {
  e.preventDefault()
  try {
    await use(tokenIn($('secret').value))
    $('access').hidden = true
    $('access').dispatchEvent(new Event('close'))
    $('files').elements[0].focus()
  } catch (why) {
    needAccess(why)
  }
  $('secret').value = ''
}

// begin takes the token out of the address, where others would see it.
async function begin() {
  const given = location.hash.slice(1)
  history.replaceState(null, '', location.pathname)
  try {
    await use(given ? tokenIn(decodeURIComponent(given)) : token)
  } catch (why) {
    if (why.status === 401 || why.status === undefined) needAccess(why)
  }
}

// The memory has what was begun and is not complete, by name, size and time: where the server
// has it, and its digest, so that it goes on when the same file is chosen again.
const memory = {
  get: key => JSON.parse(localStorage.getItem('upload ' + key)),
  set(key, value) { try { localStorage.setItem('upload ' + key, JSON.stringify(value)) } catch { } }, // it may be full
  forget: key => localStorage.removeItem('upload ' + key),
  keys: () => Object.keys(localStorage).filter(k => k.startsWith('upload ')).map(k => k.slice(7)),
}

const queue = [], total = { files: 0, safe: 0, failed: 0, size: 0, bytes: 0 }
let lanes = 0

function enqueue(item) {
  queue.push(item)
  $('result').textContent = ''
  if (lanes < 3) lane(lanes++)
}

async function lane() {
  for (let item; item = queue.shift();) { // one of the same file, of another tab too, waits; not without HTTPS
    await (navigator.locks ? navigator.locks.request(item.key, () => item.send()) : item.send())
  }
  if (--lanes) return
  $('result').textContent = `${total.safe} of ${total.files} files are safe at the server` + (total.failed ? `; ${total.failed} failed.` : '.')
  remind()
}

// An Item is a file on its way, and its row in the list.
class Item {
  bytes = 0 // of them there are at the server, or on their way

  constructor(name, file) {
    Object.assign(this, { name, file, key: JSON.stringify([name, file.size, file.lastModified]) })
    total.files++
    total.size += file.size
  }

  // show makes the row when it is the file's turn: there may be thousands.
  show() {
    this.row ||= $('row').content.firstElementChild.cloneNode(true)
    this.part('.name').textContent = this.name
    this.part('.size').textContent = sizeOf(this.file.size)
    this.part('progress').ariaLabel = this.name
    $('list').prepend(this.row)
    $('list').querySelectorAll('.done').forEach((row, i) => { if (i >= 50) row.remove() })
  }

  part(name) { return this.row.querySelector(name) }
  say(words) { this.part('.state').textContent = words }
  turn(state, words, button, onclick) {
    this.row.className = state
    this.say(words)
    Object.assign(this.part('button'), { textContent: button, ariaLabel: button + ' ' + this.name, onclick })
  }

  reached(bytes) {
    total.bytes += bytes - this.bytes
    this.bytes = bytes
    this.part('progress').value = bytes / (this.file.size || 1)
    $('total').textContent = `${total.safe} of ${total.files} files, ${sizeOf(total.bytes)} of ${sizeOf(total.size)}`
  }

  sent(loaded) {
    const at = this.offset + loaded, seconds = (performance.now() - this.mark.time) / 1000
    if (seconds > 1) this.mark = { at, time: performance.now(), rate: `, ${sizeOf((at - this.mark.at) / seconds)}/s` }
    this.reached(at)
    this.say(at < this.file.size ? sizeOf(at) + ' sent' + this.mark.rate : 'the server makes it safe')
  }

  // send sends the file until it is safe, through lost connections.
  async send() {
    this.show()
    this.turn('active', 'waiting', 'Cancel', () => { this.cancelled = true; this.request?.abort(); this.wake?.() })
    Object.assign(this, { cancelled: false, url: '', sha256: '' }, memory.get(this.key))
    for (let wait = 1; ; wait = Math.min(2 * wait, 15)) {
      try {
        return this.done(await this.proceed())
      } catch (why) {
        if (this.cancelled || why.status !== 401 && !why.passes) return this.failed(why)
        this.say(why.passes ? why.message + '; trying again' : 'waiting for a token')
        const woken = new Promise(resolve => { this.wake = resolve })
        why.passes ? setTimeout(this.wake, 1000 * wait) : needAccess(why).then(this.wake)
        await woken
      }
    }
  }

  // proceed does what is missing, and returns the name that the server gives the file.
  async proceed() {
    if (this.cancelled) throw new Error('cancelled')
    await this.file.slice(0, 1).arrayBuffer().catch(() => { throw new Error('the file cannot be read any more; choose it again') })
    this.sha256 ||= await this.digest()
    const created = !this.url
    let answer = created ? await this.create() : await ask('HEAD', this.url, tus, null, this)
    this.offset = Number(answer.getResponseHeader('Upload-Offset'))
    this.unchanged = created && this.offset > 0
    if (this.offset < this.file.size) {
      this.mark = { at: this.offset, time: performance.now(), rate: '' }
      this.sent(0)
      const headers = { ...tus, 'Upload-Offset': this.offset, 'Content-Type': 'application/offset+octet-stream' }
      answer = await ask('PATCH', this.url, headers, this.file.slice(this.offset), this)
    }
    const got = atob(/sha-256=:(.*):/.exec(answer.getResponseHeader('Repr-Digest'))[1])
    if (hex(Array.from(got, c => c.charCodeAt(0))) !== this.sha256) throw new Error('what the server has is not this file')
    return decodeURIComponent(answer.getResponseHeader('Content-Location').slice(1))
  }

  async digest() {
    const sha = new Sha256(), step = 1 << 20
    for (let at = 0; at < this.file.size; at += step) {
      if (this.cancelled) throw new Error('cancelled')
      sha.add(new Uint8Array(await this.file.slice(at, at + step).arrayBuffer()))
      this.say(`reading it: ${Math.floor(100 * at / this.file.size)} %`)
    }
    return sha.hex()
  }

  // create begins the file at the server, which answers how much it has: all, if it is unchanged.
  async create() {
    const about = { filename: this.name, mtime: (this.file.lastModified / 1000).toFixed(3), sha256: this.sha256 }
    const metadata = Object.entries(about).map(([key, value]) => key + ' ' + base64(value)).join()
    const answer = await ask('POST', '/tus/', { ...tus, 'Upload-Length': this.file.size, 'Upload-Metadata': metadata }, null, this)
    this.url = answer.getResponseHeader('Location')
    memory.set(this.key, { url: this.url, sha256: this.sha256 })
    return answer
  }

  done(name) {
    memory.forget(this.key)
    total.safe++
    this.reached(this.file.size)
    const words = [this.unchanged ? 'unchanged, the server has it already' : 'verified', name === this.name ? '' : 'stored as ' + name, 'sha-256 ' + this.sha256]
    this.turn('done', words.filter(Boolean).join(', '), '', null)
  }

  failed(why) {
    total.failed++
    this.reached(0)
    if (this.cancelled && this.url) ask('DELETE', this.url, tus).catch(() => { }) // it expires by itself
    if (why.status !== 507) memory.forget(this.key) // which may go on when there is space
    this.turn('failed', this.cancelled ? 'cancelled' : why.message, 'Try again', () => { total.failed--; enqueue(this) })
  }
}

// remind tells what was interrupted when the page was closed.
function remind() {
  const names = memory.keys().map(key => JSON.parse(key)[0])
  $('interrupted').hidden = !names.length
  $('interrupted').firstElementChild.textContent = 'Interrupted: ' + names.join(', ') + '. Choose the same files again, and they go on where they stopped.'
}

// filesIn finds the files in what was dropped.
async function filesIn(entry) {
  if (entry.isFile) return enqueue(new Item(entry.fullPath.slice(1), await new Promise((resolve, reject) => entry.file(resolve, reject))))
  const reader = entry.createReader()
  for (let some; some = await new Promise((resolve, reject) => reader.readEntries(resolve, reject)), some.length;) {
    for (const one of some) await filesIn(one)
  }
}

document.ondragover = e => { e.preventDefault(); document.body.className = 'over' }
document.ondragleave = e => { if (!e.relatedTarget) document.body.className = '' }
document.ondrop = e => {
  e.preventDefault()
  document.body.className = ''
  for (const item of e.dataTransfer.items) {
    const entry = item.webkitGetAsEntry()
    if (entry) filesIn(entry).catch(why => { $('result').textContent = `${entry.name} cannot be read: ${why.message}` })
  }
}
$('files').onchange = e => {
  for (const file of e.target.files) enqueue(new Item(file.webkitRelativePath || file.name, file))
  e.target.value = ''
}
$('say').onsubmit = async e => {
  e.preventDefault()
  try {
    $('reply').textContent = (await ask('POST', '/', { 'Content-Type': 'text/plain' }, $('text').value)).responseText
    $('text').value = ''
  } catch (why) {
    if (why.status === 401) needAccess(why)
    $('reply').textContent = why.message
  }
}
$('interrupted').lastElementChild.onclick = () => { memory.keys().forEach(memory.forget); remind() }
document.documentElement.className = 'scripts'
onhashchange = () => { if (location.hash) begin() }
begin()
remind()
