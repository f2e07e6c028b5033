/** Search and commands, above every page. */
import { all, documentAt, element, find, modal, root, showDialog, store, stored } from './frame.js'

/** Commands for what the page offers: its places and colours, and the actions of the session's scopes. */
function commands() {
  const may = (document.body.dataset.may ?? '').split(' ')
  const places = all('.top > .places a').map((link) => [
    `go ${link.firstChild.textContent.trim().toLowerCase()}`,
    link.href,
  ])
  const themes = all('.themes button').map((button) => [`theme ${button.value || 'system'}`, () => button.click()])
  return [
    ...(may.includes('task:run') ? [['start … (a task)', null]] : []),
    ...(may.includes('event:run') ? [['snooze', () => dialogAt('/form/snooze.set')]] : []),
    ...places,
    ...themes,
    ['copy link', () => navigator.clipboard.writeText(location.href)],
  ].map(([text, go]) => ({ text, go }))
}

/** The dialog of an action, above this page. */
async function dialogAt(path, query = {}) {
  const back = location.pathname + location.search
  const { page } = await documentAt(`${root}${path}?${new URLSearchParams({ ...query, return: back })}`)
  showDialog(page, document.activeElement)
}

/** `kind`: only this group. */
const search = async (q, kind = {}) => {
  const answer = await fetch(`${root}/api/v4/search?${new URLSearchParams({ q, limit: '8', ...kind })}`)
  return answer.ok ? answer.json() : { groups: [], exact: null }
}

/** The text beside the name: the field with the words, if that is another one. */
const detailOf = ({ detail, matched: { field, text } }) => {
  const shown = text === '' ? detail : `${field}: ${text}`
  return shown ? ` ${shown}` : ''
}

export function palette() {
  if (find('dialog[open]')) return
  const input = element('input', {
    type: 'text',
    role: 'combobox',
    'aria-expanded': 'true',
    'aria-controls': 'palette-list',
    'aria-label': 'Search; commands begin with >',
    placeholder: 'Search tasks, events, schedules; > for commands',
    autocomplete: 'off',
    spellcheck: 'false',
  })
  const list = element('ul', { role: 'listbox', id: 'palette-list', 'aria-label': 'Results' })
  const dialog = modal('Search', input, list)
  dialog.classList.add('palette')
  let options = []
  let chosen = -1
  let timer = 0
  let last = 0
  let shownFor = null

  function choose(n) {
    chosen = options.length === 0 ? -1 : (n + options.length) % options.length
    options.forEach(({ item }, at) => {
      item.setAttribute('aria-selected', String(at === chosen))
    })
    if (chosen < 0) input.removeAttribute('aria-activedescendant')
    else {
      input.setAttribute('aria-activedescendant', options[chosen].item.id)
      options[chosen].item.scrollIntoView({ block: 'nearest' })
    }
  }

  function show(groups) {
    list.replaceChildren()
    options = []
    for (const { title, items } of groups) {
      if (items.length === 0) continue
      list.append(element('li', { role: 'presentation', class: 'muted small' }, title))
      for (const { text, detail, go } of items) {
        const id = `palette-${options.length}`
        const item = element(
          'li',
          { role: 'option', id },
          text,
          element('span', { class: 'muted small' }, detail ?? ''),
        )
        const at = options.length
        item.addEventListener('click', (click) => run(at, click.ctrlKey || click.metaKey))
        options.push({ item, text, go })
        list.append(item)
      }
    }
    choose(0)
  }

  function run(n, anew) {
    const { text, go } = options[n] ?? {}
    if (go === null) {
      input.value = `> ${text.split(' ')[0]} `
      input.focus()
    } else if (typeof go === 'function') {
      dialog.close()
      go()
    } else if (go) {
      const isPath = go.startsWith('/')
      if (isPath)
        store(recentName, JSON.stringify([{ text, go }, ...recents().filter((one) => one.go !== go)].slice(0, 8)))
      const address = isPath ? root + go : go
      if (anew) open(address)
      else location.href = address
    }
  }

  // Others who use this browser do not see what was found before.
  const recentName = `footman.recent.${document.body.dataset.actor ?? ''}`
  const recents = () => JSON.parse(stored(recentName) ?? '[]')

  async function commandsFor(text) {
    const [, task = ''] = /^start\s+(\S.*)/i.exec(text) ?? []
    const known = commands()
    if (task !== '' && known.some(({ text: name }) => name.startsWith('start'))) {
      const { groups } = await search(task, { kind: 'Tasks' })
      const { items = [] } = groups[0] ?? {}
      return items.map(({ id, title, ...item }) => ({
        text: `start ${title}`,
        detail: detailOf(item),
        go: () => dialogAt('/form/task.start', { taskId: id }),
      }))
    }
    const part = text.toLowerCase()
    const begins = ({ text: name }) => Number(name.startsWith(part))
    return known.filter(({ text: name }) => name.includes(part)).sort((a, b) => begins(b) - begins(a))
  }

  async function look() {
    const text = input.value.trim()
    const mine = ++last
    let groups
    if (text.startsWith('>')) groups = [{ title: 'Commands', items: await commandsFor(text.slice(1).trim()) }]
    else if (text.length < 2) groups = [{ title: 'Recent', items: recents() }]
    else {
      const { groups: found, exact } = await search(text)
      groups = [
        { title: 'Exact', items: exact ? [{ text, detail: ` ${exact.kind}`, go: exact.path }] : [] },
        ...found.map(({ kind, items }) => ({
          title: kind,
          items: items.map(({ title, path, ...item }) => ({ text: title, detail: detailOf(item), go: path })),
        })),
      ]
    }
    if (mine !== last) return
    shownFor = text
    show(groups)
    if (options.length === 0 && text.length > 1) {
      list.append(element('li', { role: 'presentation', class: 'muted small' }, 'Nothing found'))
    }
  }

  /** A quick Enter waits for the options of what stands in the field: those that are shown belong to the text before. */
  async function enter(anew) {
    if (input.value.trim() !== shownFor) {
      clearTimeout(timer)
      await look()
    }
    if (chosen >= 0) run(chosen, anew)
    else location.href = `${root}/search?${new URLSearchParams({ q: input.value })}`
  }

  input.addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(look, 150)
  })
  input.addEventListener('keydown', (press) => {
    if (press.key === 'ArrowDown') choose(chosen + 1)
    else if (press.key === 'ArrowUp') choose(chosen - 1)
    else if (press.key === 'Enter') enter(press.ctrlKey || press.metaKey)
    else return
    press.preventDefault()
  })
  look()
  input.focus()
}
