/** For every page: follows changes, shows dialogs, keyboard, search, times in the zone of the reader, copying. */
const { worker, position, live, timezone } = document.body.dataset
export const { root } = document.body.dataset
export const find = (selector, from = document) => from.querySelector(selector)
export const all = (selector, from = document) => [...from.querySelectorAll(selector)]
export const stored = (name) => {
  try {
    return localStorage.getItem(name)
  } catch {
    return null
  }
}
export const store = (name, value) => {
  try {
    localStorage.setItem(name, value)
  } catch {
    // Only the convenience is lost.
  }
}

/** The document at an address, parsed without running anything. Rejects when it cannot be had. */
export function documentAt(address, { method = 'GET', body = null } = {}) {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest()
    request.open(method, address)
    request.responseType = 'document'
    request.addEventListener('load', () => {
      if (request.response) resolve({ page: request.response, url: request.responseURL, status: request.status })
      else reject(new Error(`status ${request.status}`))
    })
    request.addEventListener('error', () => reject(new Error('no answer')))
    if (body) request.setRequestHeader('content-type', 'application/x-www-form-urlencoded')
    request.send(body)
  })
}

// --- Live: the page is asked for again, and what differs is put in its place ---

const MOST_OFTEN_MS = 1000
let isDirty = false
let isLooking = false
let wait = MOST_OFTEN_MS

function changed() {
  isDirty = true
  if (!isLooking) look()
}

async function look() {
  isLooking = true
  await new Promise((resolve) => setTimeout(resolve, 300))
  while (isDirty && !document.hidden && !find('dialog[open]')) {
    isDirty = false
    const began = performance.now()
    try {
      const { page, status, url } = await documentAt(location.href)
      if (new URL(url).pathname.endsWith('/login')) {
        status_('Signed out – sign in again', 'off')
        break
      }
      if (status < 500) patch(page)
    } catch {
      isDirty = true
    }
    wait = Math.max(MOST_OFTEN_MS, (performance.now() - began) * 10)
    await new Promise((resolve) => setTimeout(resolve, wait))
  }
  isLooking = false
}

/** Rows and parts with a key are replaced where they stand; new rows wait behind a bar, as nothing may move. */
function patch(page) {
  for (const part of all('[data-part]', page)) {
    const here = find(`[data-part="${CSS.escape(part.dataset.part)}"]`)
    if (here && !here.contains(document.activeElement) && here.outerHTML !== part.outerHTML) {
      const open = all('details[open]', here).map((one) => one.dataset.key ?? '')
      here.replaceWith(document.adoptNode(part))
      for (const key of open) if (key) find(`details[data-key="${CSS.escape(key)}"]`, part)?.setAttribute('open', '')
      zoned(part)
    }
  }
  for (const next of all('[data-rows]', page)) {
    const list = find(`[data-rows="${CSS.escape(next.dataset.rows)}"]`)
    if (list) patchRows(list, next)
  }
  const count = find('.places .count', page)
  const shown = find('.top > .places .count')
  if (count && shown) shown.textContent = count.textContent
}

function patchRows(list, next) {
  const keyed = (from) => new Map([...from.children].map((row) => [row.dataset.key, row]))
  const [before, after] = [keyed(list), keyed(next)]
  for (const [key, row] of before) {
    const now = after.get(key)
    if (!now) {
      row.classList.add('gone')
      row.title = 'No longer matches'
    } else if (now.outerHTML !== row.outerHTML && !row.contains(document.activeElement)) {
      const copy = document.adoptNode(now)
      row.replaceWith(copy)
      zoned(copy)
    }
  }
  const fresh = [...after.keys()].filter((key) => !before.has(key)).length
  const bar = find('#new-bar')
  if (fresh === 0 || !bar) return
  const link = document.createElement('a')
  link.href = location.href
  link.textContent = `${fresh} new – show`
  bar.replaceChildren(link)
}

function status_(text, name) {
  const shown = find('[data-status]')
  if (!shown) return
  shown.dataset.status = name
  find('[data-status-text]', shown).textContent = text
}

const STATES = { live: 'Live', connecting: 'Connecting', stopped: 'Stopped', reconnecting: 'Reconnecting' }

/** A stream does not say why it ended. */
async function noticeSignOut() {
  const answer = await fetch(`${root}/api/v4/stream/position`).catch(() => null)
  if (answer?.status === 401) status_('Signed out – sign in again', 'off')
}

function follow() {
  if (!live) return
  const stream = `${root}/api/v4/stream`
  const hello = { type: 'follow', url: stream, topics: live.split(' '), after: position ?? null }
  const onMessage = ({ data }) => {
    if (data.type === 'change') changed()
    else if (data.type === 'state') {
      status_(STATES[data.name], data.name)
      if (data.name === 'reconnecting') noticeSignOut()
      // Changes of pairs are not sent again: those between the page and the stream are looked for.
      if (data.name === 'live' && hello.topics.includes('keyValue')) changed()
    } else if (data.type === 'reset') changed()
  }
  if ('SharedWorker' in window) {
    const policy = window.trustedTypes?.createPolicy('footman-worker', {
      createScriptURL: (url) => {
        if (url === worker) return url
        throw new TypeError('not the worker of Footman')
      },
    })
    const { port } = new SharedWorker(policy ? policy.createScriptURL(worker) : worker)
    port.addEventListener('message', onMessage)
    port.start()
    port.postMessage(hello)
    const retry = () => port.postMessage({ type: 'retry', url: stream })
    addEventListener('online', retry)
    addEventListener('pagehide', () => port.postMessage({ type: 'bye', url: stream }))
    addEventListener('pageshow', ({ persisted }) => persisted && port.postMessage(hello))
    document.addEventListener('visibilitychange', () => {
      if (document.hidden) return
      retry()
      if (isDirty && !isLooking) look()
    })
    return
  }
  followAlone(stream, hello, onMessage)
}

/** Without shared workers a visible page has its own stream; a hidden one closes it after a minute. */
function followAlone(stream, { topics, after }, onMessage) {
  let source = null
  let timer = 0
  const open = () => {
    clearTimeout(timer)
    if (source) return
    const query = new URLSearchParams(topics.map((topic) => ['topic', topic]))
    if (after) query.set('after', after)
    source = new EventSource(`${stream}?${query}`)
    source.addEventListener('open', () => onMessage({ data: { type: 'state', name: 'live' } }))
    source.addEventListener('error', () => onMessage({ data: { type: 'state', name: 'reconnecting' } }))
    for (const topic of [...topics, 'reset'])
      source.addEventListener(topic, () => onMessage({ data: { type: 'change' } }))
  }
  const close = () => {
    source?.close()
    source = null
  }
  document.addEventListener('visibilitychange', () => {
    if (document.hidden) timer = setTimeout(close, 60_000)
    else open()
  })
  open()
}

// --- Dialogs: the page of an action, shown above this one ---

document.addEventListener('click', async (click) => {
  const link = click.target.closest?.('a[data-dialog]')
  if (!link || click.ctrlKey || click.metaKey || click.shiftKey) return
  click.preventDefault()
  try {
    const { page } = await documentAt(link.href)
    showDialog(page, link)
  } catch {
    location.href = link.href
  }
})

export function showDialog(page, opener) {
  const content = find('.dialog, .error, #main', page)
  const dialog = document.createElement('dialog')
  dialog.setAttribute('aria-label', find('h1', content)?.textContent ?? 'Action')
  dialog.append(document.adoptNode(content))
  document.body.append(dialog)
  dialog.addEventListener('close', () => {
    dialog.remove()
    opener.focus()
  })
  dialog.addEventListener('click', (click) => {
    if (click.target.closest?.('[data-close]')) {
      click.preventDefault()
      dialog.close()
    }
  })
  prepare(dialog)
  dialog.showModal()
  find('input:not([type=hidden]), select, textarea, button', dialog)?.focus()
}

document.addEventListener('submit', (submit) => {
  const form = submit.target
  if (!form.matches?.('[data-action]')) return
  const buttons = all('button', form)
  if (form.dataset.sent) return submit.preventDefault()
  form.dataset.sent = '1'
  setTimeout(() => {
    for (const button of buttons) button.setAttribute('aria-busy', 'true')
  })
})

// --- Times ---

let isMine = stored('footman.myTime') === '1'

/** Times in the zone of the reader, by the same forms as those of the page. */
function zoned(from) {
  for (const time of all('time[datetime]', from)) {
    if (time.dataset.ago !== undefined) continue
    time.dataset.site ??= time.textContent
    time.textContent = isMine ? timeText(new Date(time.dateTime), time.dataset) : time.dataset.site
  }
}

function timeText(at, { site = '', short }) {
  const second = /:\d\d:\d\d/.test(site) ? { second: '2-digit' } : {}
  const clock = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit', ...second })
  if (short !== undefined && !/[A-Za-z]/.test(site)) return clock
  const weekday = /^[A-Z]/.test(site) ? { weekday: 'short' } : {}
  const year = /[A-Z]\S+ \d{4} /.test(site) ? { year: 'numeric' } : {}
  const day = at.toLocaleDateString('en-GB', { ...weekday, day: 'numeric', month: 'short', ...year })
  return `${day.replace(',', '')} ${clock}`
}

function myTime() {
  const button = find('[data-my-time]')
  if (!button) return
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
  button.hidden = zone === timezone
  const show = () => {
    button.textContent = isMine ? 'Show times of the site' : `Show times in my zone (${zone})`
  }
  button.addEventListener('click', () => {
    isMine = !isMine
    store('footman.myTime', isMine ? '1' : '0')
    show()
    zoned(document)
  })
  show()
  if (isMine) zoned(document)
}

// --- Keyboard ---

const PLACES = { n: '/', e: '/events', t: '/tasks', d: '/deliveries', s: '/schedules', r: '/reports', y: '/system' }
let afterG = 0

const rowsOf = () => all('[data-rows] > *, .items > .item').filter((row) => row.offsetParent !== null)

const holdsFocus = (row) => row.contains(document.activeElement)

function step(by) {
  const rows = rowsOf()
  const at = rows.findIndex(holdsFocus)
  const row = rows[Math.max(0, Math.min(rows.length - 1, at + by))]
  find('a, button', row ?? document.createElement('i'))?.focus()
  row?.scrollIntoView({ block: 'nearest' })
}

const follows = (selector) => {
  const link = find(selector)
  if (link) link.click()
}

const KEYS = {
  j: () => step(1),
  k: () => step(-1),
  x: () => find('input[type=checkbox]', rowsOf().find(holdsFocus) ?? document.createElement('i'))?.click(),
  f: () => {
    const form = find('.filterform')
    if (form) form.open = true
    find('.filters input, .filters select')?.focus()
  },
  '[': () => follows('[rel=next]'),
  ']': () => follows('.pager a:not([rel=next])'),
  '.': () => find('.head .tools a, .head .tools button')?.focus(),
  t: () => follows('[data-now]'),
  '/': () => palette(),
  '?': () => shortcuts(),
}

document.addEventListener('keydown', (press) => {
  if ((press.ctrlKey || press.metaKey) && press.key.toLowerCase() === 'k') {
    press.preventDefault()
    palette()
    return
  }
  const isField = press.target.closest?.('input, select, textarea, [contenteditable]')
  if (isField || press.ctrlKey || press.metaKey || press.altKey || stored('footman.keys') === '0') return
  if (Date.now() < afterG && PLACES[press.key]) {
    location.href = root + PLACES[press.key]
    return
  }
  afterG = press.key === 'g' ? Date.now() + 1500 : 0
  if (!KEYS[press.key] || find('dialog[open]')) return
  press.preventDefault()
  KEYS[press.key]()
})

const SHORTCUTS = [
  ['Ctrl K, /', 'search and commands'],
  ['g, then n e t d s r y', 'places'],
  ['j, k', 'next and previous row'],
  ['x', 'select the row'],
  ['f', 'filter'],
  ['[, ]', 'older, newest'],
  ['.', 'actions of the page'],
  ['t', 'today or now'],
  ['?', 'this list'],
]

/** An element with children, by the DOM alone: nothing is parsed as HTML. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name)
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value)
  made.append(...children)
  return made
}

export function modal(label, ...content) {
  const dialog = element('dialog', { 'aria-label': label }, ...content)
  const opener = document.activeElement
  document.body.append(dialog)
  dialog.addEventListener('close', () => {
    dialog.remove()
    opener?.focus?.()
  })
  dialog.showModal()
  return dialog
}

function shortcuts() {
  const list = element('dl', { class: 'kv' })
  for (const [keys, what] of SHORTCUTS) list.append(element('dt', {}, keys), element('dd', {}, what))
  const toggle = element('button', { type: 'button', class: 'btn' })
  const show = () => {
    toggle.textContent = stored('footman.keys') === '0' ? 'Switch single letters on' : 'Switch single letters off'
  }
  toggle.addEventListener('click', () => {
    store('footman.keys', stored('footman.keys') === '0' ? '1' : '0')
    show()
  })
  show()
  const close = element('button', { type: 'button', class: 'btn primary' }, 'Close')
  const dialog = modal('Keyboard', element('h2', {}, 'Keyboard'), list, element('p', { class: 'acts' }, toggle, close))
  close.addEventListener('click', () => dialog.close())
}

// --- Small things ---

/** Loaded after the page; what is typed right after Ctrl K would be lost while it loads. */
const search = () => import('./palette.js')
addEventListener('load', () => setTimeout(() => search().catch(() => {})))

/** For fields that name a thing, and their lists. */
document.addEventListener('focusin', ({ target }) => {
  if (target.dataset.lookup) import('./lookup.js').then(({ suggest }) => suggest(target))
})
document.addEventListener('click', (click) => {
  const button = click.target.closest?.('[data-add-row]')
  if (!button) return
  click.preventDefault()
  import('./lookup.js').then(({ addRow }) => addRow(button))
})

async function palette() {
  const loaded = await search()
  loaded.palette()
}

function prepare(from) {
  for (const button of all('[data-copy]', from)) {
    button.hidden = !navigator.clipboard
    button.addEventListener('click', async () => {
      await navigator.clipboard.writeText(button.dataset.copy)
      button.textContent = 'Copied'
    })
  }
}

prepare(document)
myTime()
const list = find('[data-shortcuts]')
if (list) {
  list.hidden = false
  list.addEventListener('click', shortcuts)
}
find('[data-palette] input')?.addEventListener('focus', (focus) => {
  focus.target.blur()
  palette()
})
document.addEventListener('click', ({ target }) => {
  for (const menu of all('details.menu[open]')) if (!menu.contains(target)) menu.open = false
})
document.addEventListener('keydown', ({ key }) => {
  if (key !== 'Escape') return
  for (const menu of all('details.menu[open]')) {
    menu.open = false
    find('summary', menu)?.focus()
  }
})
find('form[data-submit]')?.requestSubmit()
follow()
