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
  head.hidden = zone === head.dataset.hereHead
  const cells = [...document.querySelectorAll('[data-here]')]
  const isChanging = new Set(cells.map(({ dataset }) => offsetText(new Date(dataset.here)))).size > 1
  for (const cell of cells) {
    cell.parentElement.hidden = head.hidden
    const at = new Date(cell.dataset.here)
    const day = at.toLocaleDateString('en-GB', { weekday: 'short', day: 'numeric', month: 'short' }).replace(',', '')
    const clock = at.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
    cell.textContent = `${day} ${clock}${isChanging ? ` ${offsetText(at)}` : ''}`
  }
}

const offsets = new Intl.DateTimeFormat('en-GB', { timeZoneName: 'shortOffset' })
const offsetText = (at) => offsets.formatToParts(at).find(({ type }) => type === 'timeZoneName').value

/** The reasons stand at their fields, as in a form that was refused. */
function markWrong(page) {
  for (const old of form.querySelectorAll('em[data-wrong]')) old.remove()
  for (const input of form.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid')
  for (const reason of page.querySelectorAll('[data-preview] em[data-wrong]')) {
    const input = form.querySelector(`[name="${CSS.escape(reason.dataset.wrong)}"]`)
    input?.setAttribute('aria-invalid', 'true')
    input?.after(document.adoptNode(reason))
  }
}

function preview() {
  asked?.abort()
  asked = new XMLHttpRequest()
  asked.open('GET', `${form.getAttribute('action')}?${new URLSearchParams(new FormData(form))}`)
  asked.responseType = 'document'
  asked.addEventListener('load', ({ target }) => {
    const next = target.response?.querySelector('[data-times]')
    if (!next) return
    document.querySelector('[data-times]')?.replaceWith(document.adoptNode(next))
    showHere()
    markWrong(target.response)
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
