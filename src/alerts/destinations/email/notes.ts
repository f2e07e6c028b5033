/** What a mail must say even when the user's template does not. */
import type { TemplateRecord } from '../../templates/engine.ts'
import { ESCAPING } from '../../templates/escape.ts'

interface Note {
  /** A template that uses this variable says it itself. */
  readonly variable: string
  readonly text: (record: TemplateRecord) => string | null
}

const PARTS: Readonly<Record<string, string>> = {
  task: 'task details',
  app: 'app details',
  owner: 'app owner',
  execution: 'result of the execution',
  scriptLog: 'script log',
}

const NOTES: readonly Note[] = [
  {
    variable: 'suppressedCount',
    text: ({ suppressedCount }) =>
      Number(suppressedCount) > 0
        ? `Earlier alerts held back by the rate limit since the last mail: ${suppressedCount}.`
        : null,
  },
  {
    variable: 'missingParts',
    text: ({ missingParts }) => {
      const parts = (missingParts as readonly string[]).map((part) => PARTS[part] ?? part)
      return parts.length > 0 ? `Not available when this mail was sent: ${parts.join(', ')}.` : null
    },
  },
]

/** The notes that a template with this source text leaves out. */
export function missingNotes(source: string, record: TemplateRecord): readonly string[] {
  return NOTES.filter(({ variable }) => !source.includes(variable)).flatMap(({ text }) => text(record) ?? [])
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
