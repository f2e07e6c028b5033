/**
 * The stream of changes, once per browser: a shared worker holds the only connection and hands what comes to the pages that
 * are open. Pages send `{ url, topics, after }`; they get `change`, `reset`, `state`.
 */
const ports = new Map()
const PAUSES = [1000, 2000, 5000, 10_000, 30_000]
let source = null
let topics = ''
let position = null
let failures = 0
let timer = 0
let state = { name: 'connecting' }

self.addEventListener('connect', ({ ports: [port] }) => {
  ports.set(port, null)
  port.addEventListener('message', ({ data }) => {
    if (data.type === 'follow') {
      ports.set(port, data)
      position ??= data.after
      // Changes may have come between the rendering of the page and its first words.
      if (Number(data.after) < Number(position)) port.postMessage({ type: 'change' })
      port.postMessage({ type: 'state', ...state })
      renew(data.url)
    } else if (data.type === 'retry') {
      failures = 0
      if (!source) connect(data.url)
    } else if (data.type === 'bye') {
      ports.delete(port)
      renew(data.url)
    }
  })
  port.start()
})

const wanted = () => [...new Set([...ports.values()].flatMap((page) => page?.topics ?? []))].sort()

/** Connects anew when the pages follow other topics than before. */
function renew(url) {
  const next = wanted().join(',')
  if (next === topics && source) return
  topics = next
  source?.close()
  source = null
  clearTimeout(timer)
  if (topics === '') say({ name: 'stopped' })
  else connect(url)
}

function say(next) {
  state = next
  for (const port of ports.keys()) port.postMessage({ type: 'state', ...next })
}

function connect(url) {
  clearTimeout(timer)
  const query = new URLSearchParams(topics.split(',').map((topic) => ['topic', topic]))
  if (position !== null) query.set('after', position)
  const stream = new EventSource(`${url}?${query}`)
  source = stream
  stream.addEventListener('open', () => {
    failures = 0
    say({ name: 'live' })
  })
  stream.addEventListener('reset', ({ data }) => {
    position = String(JSON.parse(data).seq)
    for (const port of ports.keys()) port.postMessage({ type: 'reset' })
  })
  for (const topic of topics.split(',')) {
    stream.addEventListener(topic, (message) => {
      if (message.lastEventId !== '') position = message.lastEventId
      for (const [port, page] of ports) {
        if (page?.topics.includes(topic)) port.postMessage({ type: 'change', topic })
      }
    })
  }
  stream.addEventListener('error', () => {
    stream.close()
    if (source !== stream) return
    source = null
    const pause = PAUSES[Math.min(failures, PAUSES.length - 1)] * (0.8 + Math.random() * 0.4)
    failures += 1
    say({ name: 'reconnecting', next: Date.now() + pause })
    timer = setTimeout(() => connect(url), pause)
  })
}
