/** Pictures in SVG that load something or run code: they are markup, which some programs follow to the end. */
import { attributesOf, localName, type XmlVisitor } from '../xml.ts'

/** Elements that hold pages or code. */
const FORBIDDEN = new Set(['script', 'foreignObject', 'iframe', 'object', 'embed', 'handler', 'listener'])

/** A check of one part; silent until an element `svg` begins, of any namespace: one can be written in many ways. */
export function svgCheck(unsafe: (details: string) => void): XmlVisitor {
  const styleSheets: string[] = []
  let isSvg = false
  let style: string | null = null

  function checkStyle(css: string): void {
    if (!isOwnStyle(css)) unsafe(`the picture loads something from outside: ${css.trim().slice(0, 200)}`)
  }
  return {
    instruction(source) {
      if (/^xml-stylesheet\b/i.test(source)) styleSheets.push(source)
    },
    start(_name, attributes, local) {
      if (!isSvg && local !== 'svg') return
      if (!isSvg) for (const sheet of styleSheets) unsafe(`the picture has a style sheet: ${sheet.slice(0, 200)}`)
      isSvg = true
      if (FORBIDDEN.has(local)) unsafe(`the picture holds <${local}>`)
      if (local === 'style') style = ''
      for (const [written, value] of attributesOf(attributes)) {
        const attribute = localName(written).toLowerCase()
        if (attribute.startsWith('on')) unsafe(`the picture runs code: ${written}`)
        else if (attribute === 'attributename' && /(^|:)href$/i.test(value.trim())) {
          unsafe('the picture changes what it loads')
        } else if (attribute === 'href' || attribute === 'src' || attribute === 'base') {
          if (!isOwnAddress(value, local)) unsafe(`the picture loads something from outside: ${value.slice(0, 200)}`)
        } else if (!written.startsWith('xmlns')) checkStyle(value)
      }
    },
    text(piece) {
      if (style !== null) style += piece()
    },
    end(_name, local) {
      if (style === null || local !== 'style') return
      checkStyle(style)
      style = null
    },
  }
}

function isOwnAddress(address: string, element: string): boolean {
  const plain = address.trim()
  if (plain === '' || plain.startsWith('#')) return true
  if (element === 'a' && /^(https?|mailto):/i.test(plain)) return true
  return /^data:image\/(png|jpeg|gif|webp)[;,]/i.test(plain)
}

/** Whether styles load nothing: `url()` of places in the picture and of pictures in the text only. */
function isOwnStyle(css: string): boolean {
  if (!/url|image|src|@import|\\/i.test(css)) return true
  // Escapes could spell any of the others.
  if (/@import|image-set|\bimage\(|\bsrc\(|\\/i.test(css)) return false
  return css
    .split(/url\(/i)
    .slice(1)
    .every((rest) => isOwnAddress(rest.slice(0, 100).replace(/^[\s"']+/, ''), ''))
}
