/** For the editor of a schedule: the preview follows what is typed, with the times in the zone of the reader. */
const form = document.querySelector('[data-preview]')
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone
const PAUSE_MS = 400
let timer = 0
let asked = null

function showHere() {
  const head = document.querySelector('[data-here-head]')
  if (!head) return
  head.textContent = `Here, ${zone}`
  for (const cell of document.querySelectorAll('[data-here]')) {
    const at = new Date(cell.dataset.here)
    const day = at.toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short' }).replace(',', '')
    cell.textContent = `${day} ${at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })}`
  }
}

function preview() {
  asked?.abort()
  asked = new XMLHttpRequest()
  asked.open('GET', `${form.getAttribute('action')}?${new URLSearchParams(new FormData(form))}`)
  asked.responseType = 'document'
  asked.addEventListener('load', ({ target }) => {
    const next = target.response?.querySelector('[data-part="preview"]')
    if (!next) return
    document.querySelector('[data-part="preview"]')?.replaceWith(document.adoptNode(next))
    showHere()
  })
  asked.send()
}

form?.addEventListener('input', ({ target }) => {
  const chosen = { every: 'simple', at: 'simple', cron: 'cron' }[target.name]
  if (chosen) form.querySelector(`[name=kind][value=${chosen}]`).checked = true
  clearTimeout(timer)
  timer = setTimeout(preview, PAUSE_MS)
})
showHere()
