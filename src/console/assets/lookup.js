/** For fields that name a thing: suggestions while a text is typed. For lists of such fields: a further row. */
import { all, element, find, root } from './frame.js'

const PAUSE_MS = 150
const known = new WeakSet()
let lists = 0

/** For a value, the name in the first field of its row. */
const ofOf = (input) => (input.dataset.of ? { of: find('input', input.closest('[data-row]')).value } : {})

/** The browser shows the list, by keyboard and to screen readers, too. */
export function suggest(input) {
  if (known.has(input)) return
  known.add(input)
  const list = element('datalist', { id: `lookup-${lists++}` })
  input.after(list)
  input.setAttribute('list', list.id)
  let timer = 0
  let asked = null

  async function look() {
    const query = `${new URLSearchParams({ q: input.value.trim(), ...ofOf(input) })}`
    if (query === asked) return
    asked = query
    const answer = await fetch(`${root}/api/v4/lookup/${input.dataset.lookup}?${query}`).catch(() => null)
    const { suggestions } = answer?.ok ? await answer.json() : { suggestions: [] }
    if (query === asked) list.replaceChildren(...suggestions.map(optionOf))
  }

  input.addEventListener('input', () => {
    clearTimeout(timer)
    timer = setTimeout(look, PAUSE_MS)
  })
  input.addEventListener('focus', look)
  look()
}

const optionOf = ({ value, label, detail = '' }) => {
  const text = [label === value ? '' : label, detail].filter(Boolean).join(', ')
  return element('option', text === '' ? { value } : { value, label: text })
}

/** A copy of the last row, empty, unless that is still empty. */
export function addRow(button) {
  const rows = all('[data-row]', button.closest('fieldset'))
  const last = rows.at(-1)
  const isEmpty = all('input', last).every(({ value }) => value === '')
  const row = isEmpty ? last : last.cloneNode(true)
  if (!isEmpty) {
    for (const list of all('datalist', row)) list.remove()
    for (const input of all('input', row)) {
      input.value = ''
      for (const name of ['list', 'aria-invalid', 'autofocus']) input.removeAttribute(name)
      input.setAttribute('aria-label', input.getAttribute('aria-label').replace(/\d+/, rows.length + 1))
    }
    last.after(row)
  }
  find('input', row).focus()
}
