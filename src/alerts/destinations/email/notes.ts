/** What a mail must say even when the user's template does not. */
import type { TemplateRecord } from '../../templates/engine.ts'
import { ESCAPING } from '../../templates/escape.ts'
import { noticesBeside } from './view/notices.ts'
import { mailRecord } from './view/record.ts'

/** The notes that a template with this source text leaves out, one text each. */
export function missingNotes(source: string, record: TemplateRecord): readonly string[] {
  return noticesBeside(source, mailRecord(record)).map(({ title, text, items }) =>
    [title, text, items.join('; ')].filter(Boolean).join(' '),
  )
}

/** As the last lines of the page. */
export function addNotesToHtml(html: string, notes: readonly string[]): string {
  if (notes.length === 0) return html
  const lines = notes.map(
    (note) => `<p style="font-family:Arial,sans-serif;font-size:13px">${ESCAPING.html.escaped(note)}</p>`,
  )
  const end = html.toLowerCase().lastIndexOf('</body>')
  const at = end === -1 ? html.length : end
  return `${html.slice(0, at)}${lines.join('')}${html.slice(at)}`
}

export function addNotesToText(text: string, notes: readonly string[]): string {
  return notes.length === 0 ? text : `${text.trimEnd()}\n\n${notes.join('\n')}\n`
}
