/** Pictures: one tab stop each, arrow keys move among their links; what runs grows and counts by the second. */
const KEYS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1, Home: -Infinity, End: Infinity }

const linksOf = (picture) => [...picture.querySelectorAll('a')]

function prepare(picture) {
  const links = linksOf(picture)
  if (links.some((link) => link.getAttribute('tabindex') === '0')) return
  for (const [n, link] of links.entries()) link.setAttribute('tabindex', n === links.length - 1 ? '0' : '-1')
}

const all = () => {
  for (const picture of document.querySelectorAll('[data-roving]')) prepare(picture)
}

document.addEventListener('keydown', (press) => {
  const by = KEYS[press.key]
  const picture = press.target.closest?.('[data-roving]')
  if (!by || !picture || press.ctrlKey || press.metaKey || press.altKey) return
  press.preventDefault()
  const links = linksOf(picture)
  const from = links.indexOf(press.target.closest('a'))
  const next = links[Math.max(0, Math.min(links.length - 1, from + by))]
  for (const link of links) link.setAttribute('tabindex', link === next ? '0' : '-1')
  next?.focus()
})

// Live updates replace pictures.
new MutationObserver(all).observe(document.getElementById('main'), { childList: true, subtree: true })
all()

const seen = new WeakMap()
/** Seconds since an element came into the page. */
function age(element) {
  if (!seen.has(element)) seen.set(element, performance.now())
  return (performance.now() - seen.get(element)) / 1000
}

function duration(ms) {
  const minutes = Math.floor(ms / 60_000)
  if (minutes < 1) return `${Math.floor(ms / 1000)} s`
  if (minutes < 60) return `${minutes} min`
  const hours = Math.floor(minutes / 60)
  return hours < 48
    ? `${hours} h ${String(minutes % 60).padStart(2, '0')} min`
    : `${Math.floor(hours / 24)} d ${hours % 24} h`
}

function grow() {
  for (const picture of document.querySelectorAll('[data-here]')) {
    const here = Number(picture.dataset.here) + age(picture) * Number(picture.dataset.speed)
    for (const bar of picture.querySelectorAll('[data-grows]')) {
      const width = here - Number.parseFloat(bar.getAttribute('x'))
      // Narrow ones have their width in pixels.
      if (bar.getAttribute('width').endsWith('%') || width >= 0.6) bar.setAttribute('width', `${Math.min(100, width)}%`)
    }
  }
  for (const text of document.querySelectorAll('[data-counts]')) {
    text.textContent = duration(Number(text.dataset.counts) + age(text) * 1000)
  }
}
grow()
setInterval(() => document.hidden || grow(), 1000)
