/** Text in XML. */

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&apos;',
}

/** For content and attributes. What XML 1.0 cannot hold at all is left out. */
export const xml = (text: string): string =>
  text.replaceAll(/(?![\t\n\r])\p{Cc}|[\ufffe\uffff]/gu, '').replaceAll(/[&<>"']/g, (sign) => ENTITIES[sign]!)

/** What `xml` made, read again. */
export const fromXml = (text: string): string =>
  text.replaceAll(/&(?:amp|lt|gt|quot|apos);/g, (entity) => SIGNS.get(entity) ?? entity)

const SIGNS = new Map(Object.entries(ENTITIES).map(([sign, entity]) => [entity, sign]))
