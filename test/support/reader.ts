/**
 * A person who reads the pages as HTML, as a browser does it without scripts: follows links, fills in forms, presses buttons. A
 * button that is off and a required field that is empty throw, as such a browser refuses them.
 */
import type { Visitor } from './console.ts'

/** An element of a page. */
export interface Node {
  readonly tag: string
  readonly attributes: ReadonlyMap<string, string>
  readonly parent: Node | null
  readonly children: readonly (Node | string)[]
}

export interface Download {
  readonly name: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** Fields that no browser without scripts would send. */
interface Forged {
  /** Further fields. */
  readonly also?: readonly [name: string, value: string][]
  /** Required fields may be empty. */
  readonly unchecked?: boolean
}

/** The name that is shown, or a pattern of it; of several the first counts. */
type Name = string | RegExp

export interface Reader {
  readonly status: number
  /** Where the page is, redirections followed. */
  readonly url: URL
  readonly html: string
  /** The last document that was kept as a file. */
  readonly download: Download | null
  /** The last document that a form put into a frame. */
  readonly frame: Node | null
  open(path: string): Promise<void>
  all(selector: string): Node[]
  /** The first element; throws when there is none. */
  one(selector: string): Node
  /** The words of the first element, with one blank between them. */
  text(selector?: string): string
  follow(link: Name, inside?: string): Promise<void>
  /** `field`: its name, or the text of its label. */
  fill(field: string, value: string | File): void
  check(field: string): void
  value(field: string): string
  press(button: Name, inside?: string, forged?: Forged): Promise<void>
}

const VOID = new Set('area base br col embed hr img input link meta source track wbr'.split(' '))
const UNSEEN = new Set(['head', 'script', 'style', 'template', 'datalist'])
const ENTITIES: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', '#39': "'", nbsp: '\u00a0' }
const decoded = (text: string): string => text.replace(/&(#?\w+);/g, (whole, name: string) => ENTITIES[name] ?? whole)

type Growing = Node & { readonly children: (Node | string)[] }

/** The tree of a page. */
export function treeOf(html: string): Node {
  const element = (tag: string, attributes: Iterable<[string, string]>, parent: Growing | null): Growing => ({
    tag,
    attributes: new Map([...attributes].map(([name, value]) => [name, decoded(value)])),
    parent,
    children: [],
  })
  const root = element('#document', [], null)
  let open = root
  new HTMLRewriter()
    .on('*', {
      element(found) {
        const node = element(found.tagName, found.attributes, open)
        open.children.push(node)
        if (VOID.has(node.tag) || found.selfClosing) return
        open = node
        found.onEndTag(() => {
          open = node.parent as Growing
        })
      },
    })
    .onDocument({ text: ({ text }) => void open.children.push(decoded(text)) })
    .transform(html)
  return root
}

/** The elements below one that match a selector: tags, `#id`, `.class`, `[name^="value"]`, with blanks between levels. */
export function select(below: Node, selector: string): Node[] {
  const levels = selector.match(/(?:\[[^\]]*\]|\S)+/g)!.map(matcherOf)
  const isFound = (node: Node): boolean => {
    if (!levels.at(-1)!(node)) return false
    let level = levels.length - 2
    for (let above = node.parent; above && level >= 0; above = above.parent) if (levels[level]!(above)) level -= 1
    return level < 0
  }
  return everything(below).filter(isFound)
}

const everything = (node: Node): Node[] =>
  node.children.flatMap((child) => (typeof child === 'string' ? [] : [child, ...everything(child)]))

function matcherOf(compound: string): (node: Node) => boolean {
  const parts = [...compound.matchAll(/\[([\w:-]+)(?:([\^$*]?)=["']?([^\]"']*)["']?)?\]|([.#]?)([\w-]+)/g)]
  return ({ tag, attributes }) =>
    parts.every(([, name, how, wanted, sign, word = '']) => {
      if (name === undefined) {
        if (sign === '#') return attributes.get('id') === word
        return sign === '.' ? attributes.get('class')?.split(/\s+/).includes(word) : tag === word
      }
      const value = attributes.get(name)
      if (value === undefined || wanted === undefined) return value !== undefined
      if (how === '^') return value.startsWith(wanted)
      if (how === '$') return value.endsWith(wanted)
      return how === '*' ? value.includes(wanted) : value === wanted
    })
}

const joined = (node: Node, isLeftOut: (node: Node) => boolean): string =>
  node.children
    .map((child) => (typeof child === 'string' ? child : isLeftOut(child) ? '' : ` ${joined(child, isLeftOut)} `))
    .join('')
/** All text in an element as the DOM has it, but for elements that are left out. */
export const rawText = (node: Node, isLeftOut: (node: Node) => boolean = () => false): string =>
  node.children
    .map((child) => (typeof child === 'string' ? child : isLeftOut(child) ? '' : rawText(child, isLeftOut)))
    .join('')

const words = (text: string): string => text.replace(/\s+/g, ' ').trim()
const isUnseen = ({ tag, attributes }: Node): boolean => UNSEEN.has(tag) || attributes.has('hidden')

/** The words of an element, with one blank between them. */
export const read = (node: Node): string => words(joined(node, isUnseen))

/** The accessible name, as far as these pages need it. */
function nameOf(node: Node): string {
  const { attributes, children } = node
  if (isUnseen(node) || attributes.get('aria-hidden') === 'true') return ''
  const inside = () =>
    words(children.map((child) => (typeof child === 'string' ? child : ` ${nameOf(child)} `)).join(''))
  return attributes.get('aria-label') || inside() || (attributes.get('title') ?? '')
}
const isNamed = (node: Node, name: Name): boolean =>
  typeof name === 'string' ? nameOf(node) === name : name.test(nameOf(node))

function formOf(control: Node): Node | null {
  let above: Node | null = control
  while (above && above.tag !== 'form') above = above.parent
  return above
}

/** Begins without a page. */
export function reader(who: Visitor): Reader {
  let [root, html, status, url] = [treeOf(''), '', 0, new URL(who.base)]
  let download: Download | null = null
  let frame: Node | null = null
  /** Values that were filled in since the page was opened. */
  const filled = new Map<Node, string | File>()
  const checked = new Set<Node>()

  const all = (selector: string) => select(root, selector)
  function one(selector: string): Node {
    const [found] = all(selector)
    if (!found) throw new Error(`${url.pathname} has no ${selector}: ${read(root).slice(0, 500)}`)
    return found
  }
  function named(kinds: string, name: Name, inside: string): Node {
    const among = all(inside).flatMap((part) => kinds.split(', ').flatMap((kind) => select(part, kind)))
    const found = among.find((node) => isNamed(node, name))
    if (found) return found
    throw new Error(`${url.pathname} has no ${kinds} ${name}, but ${among.map(nameOf).join(' | ')}`)
  }
  function fieldOf(field: string): Node {
    const controls = ['input', 'select', 'textarea'].flatMap((kind) => all(kind))
    const labels = all('label')
    const label =
      labels.find((one) => nameOf(one) === field || words(joined(one, isControl)) === field) ??
      labels.find((one) => nameOf(one).startsWith(`${field} `))
    const labelled = label && (all(`#${label.attributes.get('for') ?? '-'}`)[0] ?? everything(label).find(isControl))
    const found =
      controls.find(({ attributes }) => attributes.get('name') === field && attributes.get('type') !== 'hidden') ??
      labelled ??
      controls.find(({ attributes }) => attributes.get('aria-label') === field)
    if (!found) throw new Error(`${url.pathname} has no field ${field}`)
    if (found.attributes.has('disabled')) throw new Error(`the field ${field} is off`)
    return found
  }

  function contentOf(control: Node): string | File {
    const given = filled.get(control)
    if (given !== undefined) return given
    if (control.tag === 'textarea') return rawText(control).replace(/^\n/, '')
    if (control.tag !== 'select') return control.attributes.get('value') ?? ''
    const options = select(control, 'option')
    const chosen = options.find(({ attributes }) => attributes.has('selected')) ?? options[0]
    return chosen ? (chosen.attributes.get('value') ?? read(chosen)) : ''
  }

  /** The fields that a form sends, as `required` allows it. */
  function entriesOf(form: Node, isChecked: boolean): [string, string | File][] {
    const id = form.attributes.get('id')
    const own = everything(root).filter(
      (node) =>
        isControl(node) && (node.attributes.get('form') ? node.attributes.get('form') === id : formOf(node) === form),
    )
    return own.flatMap((control): [string, string | File][] => {
      const { attributes } = control
      const [name = '', type = ''] = [attributes.get('name'), attributes.get('type')]
      const isTick = type === 'checkbox' || type === 'radio'
      const isLeftOut = isTick && !checked.has(control) && !attributes.has('checked')
      const value = contentOf(control)
      if (isChecked && attributes.has('required') && (isTick ? isLeftOut && type === 'checkbox' : value === ''))
        throw new Error(`a browser would not send the form: ${name} is empty`)
      if (name === '' || isLeftOut || attributes.has('disabled') || ['submit', 'button', 'reset'].includes(type))
        return []
      if (type === 'file') return [[name, value instanceof File ? value : new File([], '')]]
      return [[name, isTick ? (attributes.get('value') ?? 'on') : value]]
    })
  }

  /** Follows an answer to the page to which it leads. */
  async function arrive(path: string, first: Response, target = ''): Promise<void> {
    let [answer, at] = [first, new URL(path, url)]
    for (let to = answer.headers.get('location'); to !== null; to = answer.headers.get('location')) {
      at = new URL(to, at)
      answer = await who.get(at.pathname + at.search)
    }
    const disposition = answer.headers.get('content-disposition') ?? ''
    if (disposition.startsWith('attachment')) {
      const encoded = /filename\*=UTF-8''([^;]+)/.exec(disposition)?.[1]
      const name = encoded ? decodeURIComponent(encoded) : (/filename="([^"]*)"/.exec(disposition)?.[1] ?? '')
      download = { name, bytes: await answer.bytes() }
      return
    }
    const text = await answer.text()
    if (target !== '') {
      frame = treeOf(text)
      return
    }
    ;[root, html, status, url] = [treeOf(text), text, answer.status, at]
    filled.clear()
    checked.clear()
  }
  const open = async (path: string) => arrive(path, await who.get(path))

  async function press(button: Name, inside = 'body', { also = [], unchecked = false }: Forged = {}): Promise<void> {
    const node = named('button', button, inside)
    const { attributes } = node
    if (attributes.has('disabled')) throw new Error(`the button ${button} is off: ${attributes.get('title')}`)
    const form = attributes.has('form') ? one(`#${attributes.get('form')}`) : formOf(node)
    if (!form) throw new Error(`the button ${button} has no form`)
    const of = (name: string) => attributes.get(`form${name}`) ?? form.attributes.get(name) ?? ''
    const isChecked = !unchecked && !attributes.has('formnovalidate') && !form.attributes.has('novalidate')
    const entries = [...entriesOf(form, isChecked), ...also]
    if (attributes.has('name')) entries.push([attributes.get('name')!, attributes.get('value') ?? ''])
    const to = new URL(of('action') || url.href, url)
    const texts = entries.map(([name, value]) => [name, typeof value === 'string' ? value : value.name] as const)
    if (of('method').toLowerCase() !== 'post') {
      to.search = new URLSearchParams(texts as unknown as string[][]).toString()
      return open(to.pathname + to.search)
    }
    const path = to.pathname + to.search
    if (of('enctype') !== 'multipart/form-data') return arrive(path, await who.post(path, texts), of('target'))
    const data = new FormData()
    for (const [name, value] of entries) data.append(name, value as string)
    return arrive(path, await who.send('POST', path, { 'sec-fetch-site': 'same-origin' }, data), of('target'))
  }

  return {
    get status() {
      return status
    },
    get url() {
      return url
    },
    get html() {
      return html
    },
    get download() {
      return download
    },
    get frame() {
      return frame
    },
    open,
    all,
    one,
    text: (selector = 'body') => read(one(selector)),
    follow: (link, inside = 'body') => {
      const { pathname, search } = new URL(named('a[href]', link, inside).attributes.get('href')!, url)
      return open(pathname + search)
    },
    fill(field, value) {
      const control = fieldOf(field)
      const isOffered = ({ attributes, ...option }: Node) =>
        (attributes.get('value') ?? read({ attributes, ...option })) === value
      if (control.tag === 'select' && !select(control, 'option').some(isOffered))
        throw new Error(`${field} does not offer ${value}`)
      filled.set(control, value)
    },
    check: (field) => void checked.add(fieldOf(field)),
    value: (field) => String(contentOf(fieldOf(field))),
    press,
  }
}

const isControl = ({ tag }: Node): boolean => ['input', 'select', 'textarea'].includes(tag)
