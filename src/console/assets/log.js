/** Script log: `e` and `E` walk from error to error; the log begins at the first one. */
const errors = () => [...document.querySelectorAll('[data-log] li.e')]
let at = -1

function show(line) {
  const folded = line.closest('details')
  if (folded) folded.open = true
  line.tabIndex = -1
  line.focus({ preventScroll: true })
  line.scrollIntoView({ block: 'center' })
}

function walk(by) {
  const lines = errors()
  if (lines.length === 0) return
  at = (at + by + lines.length) % lines.length
  show(lines[at])
}

document.addEventListener('keydown', (press) => {
  if (press.key !== 'e' && press.key !== 'E') return
  if (press.ctrlKey || press.metaKey || press.altKey || document.querySelector('dialog[open]')) return
  if (press.target.closest?.('input, select, textarea') || localStorage.getItem('footman.keys') === '0') return
  if (press.defaultPrevented) return
  press.preventDefault()
  walk(press.key === 'e' ? 1 : -1)
})
