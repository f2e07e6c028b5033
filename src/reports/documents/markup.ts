/** Text in HTML, SVG, the XML of Office files, and their attributes; the characters that no document can hold. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
}
/** Control characters, halves of surrogate pairs and what is no character: XML and HTML forbid them, also as entities. */
const FORBIDDEN = /(?![\t\n\r])\p{Cc}|\p{Cs}|\p{Noncharacter_Code_Point}/gu
/** Most texts have none of them. */
const PLAIN = /^[\t\n\r\u0020-\u007e\u00a0-\ud7ff\ue000-\ufdcf\ufdf0-\ufffd]*$/

/** Text as a document can hold it: without the characters that XML and HTML forbid. */
export const allowedText = (text: string): string => (PLAIN.test(text) ? text : text.replace(FORBIDDEN, ''))

/** Escaped for an element and for a quoted attribute; characters that XML forbids are left out. */
export const escapeText = (text: string): string =>
  allowedText(text).replace(/[&<>"']/g, (char) => ENTITIES[char] ?? char)
