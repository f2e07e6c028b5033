/** Looks for what mail clients choke on or must not be sent: open tags, scripts, resources from elsewhere. */

const VOID = new Set(['area', 'base', 'br', 'col', 'hr', 'img', 'input', 'link', 'meta', 'wbr'])
const ACTIVE = new Set(['script', 'iframe', 'object', 'embed', 'form', 'input', 'link', 'img', 'base', 'svg', 'video'])
const COMMENT = /<!--[\s\S]*?-->/g
/** A tag with quoted attributes; anything else that begins with `<` is a fault. */
const TAG = /<(\/?)([a-zA-Z][\w:-]*)((?:\s+[\w:-]+(?:="[^"<>]*")?)*)\s*(\/?)>/y

/** Every fault, as other mail programs and as Outlook see the page; none is an empty list. */
export function htmlFaults(html: string): string[] {
  const forOthers = html.replace(COMMENT, '')
  const forOutlook = html.replace(/<!--\[if mso\]>([\s\S]*?)<!\[endif\]-->/g, '$1').replace(COMMENT, '')
  return [...faultsOf(forOthers), ...faultsOf(forOutlook).map((fault) => `Outlook: ${fault}`)]
}

function faultsOf(html: string): string[] {
  const faults: string[] = []
  const open: string[] = []
  const text = html.replace(/^<!doctype html>/i, '').replace(/(<style\b[^>]*>)[\s\S]*?(<\/style>)/g, '$1$2')
  for (let at = text.indexOf('<'); at !== -1; at = text.indexOf('<', at + 1)) {
    TAG.lastIndex = at
    const [, close, name = '', attributes = '', selfClosing] = TAG.exec(text) ?? []
    const tag = name.toLowerCase()
    if (name === '') faults.push(`no tag: ${text.slice(at, at + 60)}`)
    else if (ACTIVE.has(tag)) faults.push(`<${tag}>`)
    else if (/\son\w+=|\ssrc=|javascript:|url\(|@import/i.test(attributes)) faults.push(`attribute: ${attributes}`)
    if (name === '' || VOID.has(tag) || selfClosing) continue
    if (!close) open.push(tag)
    else if (open.pop() !== tag)
      faults.push(`</${tag}> closes something else near ${text.slice(Math.max(0, at - 60), at)}`)
    if (faults.length > 5) return faults
  }
  if (open.length > 0) faults.push(`open: ${open.join(' ')}`)
  if (/url\(|@import/i.test(html)) faults.push('a style sheet fetches something')
  if (/&(?!#?\w+;)/.test(text))
    faults.push(`an ampersand that begins no entity: ${/.{0,20}&(?!#?\w+;).{0,20}/.exec(text)?.[0]}`)
  return faults
}
