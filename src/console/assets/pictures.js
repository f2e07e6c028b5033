/** Pictures with many links: one tab stop each, arrow keys move among the links. */
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
