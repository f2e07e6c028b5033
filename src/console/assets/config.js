// The page works without this; it adds tabs, finding, folding and the choice between light and dark.
const byId = (id) => document.getElementById(id)
const tabs = [byId('tab-yaml'), byId('tab-json')]
const lines = [...document.querySelectorAll('.line')]
const tree = document.querySelector('.tree')
const fold = byId('fold')

function select(tab) {
  for (const one of tabs) {
    const selected = one === tab
    one.setAttribute('aria-selected', String(selected))
    one.tabIndex = selected ? 0 : -1
    byId(one.getAttribute('aria-controls')).hidden = !selected
  }
  fold.hidden = tab !== tabs[1]
  find()
}

const treeShown = () => tabs[1].getAttribute('aria-selected') === 'true'

for (const tab of tabs) {
  tab.addEventListener('click', () => select(tab))
  tab.addEventListener('keydown', ({ key }) => {
    if (key !== 'ArrowLeft' && key !== 'ArrowRight') return
    const other = tabs.find((one) => one !== tab)
    select(other)
    other.focus()
  })
}

document.querySelector('.columns nav').addEventListener('click', (event) => {
  const name = event.target.dataset?.section
  if (!name) return
  event.preventDefault()
  const target = byId(`${treeShown() ? 't' : 's'}-${name}`)
  if (target.tagName === 'DETAILS') target.open = true
  target.scrollIntoView()
})

fold.addEventListener('click', () => {
  const open = fold.textContent === 'Unfold all'
  for (const one of tree.querySelectorAll('details')) one.open = open
  fold.textContent = open ? 'Fold all' : 'Unfold all'
})

byId('find').addEventListener('input', () => find())

function find() {
  const wanted = byId('find').value.trim().toLowerCase()
  const count = treeShown() ? findInTree(wanted) : findInLines(wanted)
  byId('hits').textContent = wanted === '' ? '' : `${count} found`
}

/** Shows lines that match, the keys above them and what stands below a key that matches. */
function findInLines(wanted) {
  const above = []
  let below = null
  let count = 0
  for (const line of lines) {
    const indent = Number(line.dataset.indent)
    while (above.length > 0 && Number(above.at(-1).dataset.indent) >= indent) above.pop()
    const hit = wanted !== '' && line.textContent.toLowerCase().includes(wanted)
    if (below !== null && indent <= below) below = null
    if (hit && below === null) below = indent
    if (hit) count += 1
    line.classList.toggle('hit', hit)
    line.classList.toggle('away', wanted !== '' && !hit && below === null)
    if (hit) for (const key of above) key.classList.remove('away')
    above.push(line)
  }
  return count
}

function findInTree(wanted) {
  return [...tree.children].reduce((count, node) => count + findInNode(node, wanted), 0)
}

function findInNode(node, wanted) {
  const folder = node.tagName === 'DETAILS'
  const own = wanted !== '' && (folder ? node.firstElementChild : node).textContent.toLowerCase().includes(wanted)
  const below = folder ? [...node.lastElementChild.children] : []
  const inside = below.reduce((count, child) => count + findInNode(child, wanted), 0)
  node.classList.toggle('hit', own)
  node.hidden = wanted !== '' && !own && inside === 0
  if (folder && wanted !== '') node.open = own || inside > 0
  // Everything below a key that matches stays there to be looked at.
  if (own && inside === 0) for (const child of node.querySelectorAll('[hidden]')) child.hidden = false
  return inside + (own ? 1 : 0)
}

const root = document.documentElement
try {
  root.dataset.theme = localStorage.getItem('theme') ?? ''
} catch {
  // Storage may be forbidden; the system's choice stays.
}
byId('theme').addEventListener('click', () => {
  const dark = root.dataset.theme ? root.dataset.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  root.dataset.theme = dark ? 'light' : 'dark'
  try {
    localStorage.setItem('theme', root.dataset.theme)
  } catch {
    // The choice lasts as long as the page.
  }
})
