/** What a chat message must say even when its template does not. */
import type { TemplateRecord } from '../../templates/engine.ts'

const PARTS: Readonly<Record<string, string>> = {
  task: 'task details',
  app: 'app details',
  owner: 'app owner',
  execution: 'result of the execution',
  scriptLog: 'script log',
}

const NOTES = [
  {
    variable: 'suppressedCount',
    text: ({ suppressedCount: count }: TemplateRecord) =>
      Number(count) > 0 ? `Alerts held back since the last message: ${count}` : '',
  },
  {
    variable: 'missingParts',
    text: ({ missingParts, missingReasons }: TemplateRecord) => {
      const reasons = (missingReasons ?? {}) as Readonly<Record<string, string>>
      const parts = (missingParts as readonly string[]).map((part) => {
        const name = PARTS[part] ?? part
        return reasons[part] ? `${name} (${reasons[part]})` : name
      })
      return parts.length > 0 ? `Not available when this was sent: ${parts.join(', ')}` : ''
    },
  },
] as const

/** The notes that a template with this source text leaves out, in one line; empty when there are none. */
export function missingNotes(source: string, variables: TemplateRecord): string {
  const missing = NOTES.filter(({ variable }) => !source.includes(variable))
  return missing
    .map(({ text }) => text(variables))
    .filter(Boolean)
    .join(' · ')
}
