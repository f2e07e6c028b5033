/** The questions of `footman init`, one after the other; wrong answers are asked for again. */
import type { Prompt } from '../prompt.ts'
import { FIELDS, type InitAnswers, type InitField } from './answers.ts'
import { dependentDefaults, type Given } from './defaults.ts'
import { listOf } from './lists.ts'
import { answerProblems } from './validate.ts'

export interface InterviewDeps {
  readonly prompt: Prompt
  readonly say: (text: string) => void
  readonly platform: NodeJS.Platform
}

/** `defaults` are all answers as they would be without questions; what is in `given` is not asked for. */
export async function interview(
  { prompt, say, platform }: InterviewDeps,
  given: Given,
  defaults: InitAnswers,
): Promise<InitAnswers> {
  let answers = defaults
  const told: Record<string, unknown> = { ...given }

  async function ask(field: InitField): Promise<void> {
    const { key, question = '' } = field
    for (;;) {
      const shown = shownDefault(answers[key])
      const text = await prompt.ask(`${question}${shown === '' ? '' : ` [${shown}]`}: `)
      const value = text === '' ? answers[key] : parsed(field, text)
      const next = { ...answers, ...dependentDefaults({ ...told, [key]: value }, platform), ...told, [key]: value }
      const wrong = answerProblems(next as InitAnswers).find((problem) => problem.key === key)
      if (!wrong) {
        told[key] = value
        answers = next as InitAnswers
        return
      }
      say(`  ${wrong.message}`)
    }
  }

  for (const field of FIELDS) {
    if (field.question === undefined || field.key in given) continue
    if (field.asked && !field.asked(answers)) continue
    await ask(field)
  }
  return answers
}

function shownDefault(value: InitAnswers[keyof InitAnswers]): string {
  if (typeof value === 'boolean') return value ? 'Y/n' : 'y/N'
  return Array.isArray(value) ? value.join(', ') : String(value)
}

/** What was typed in the form of the answer; what is no number stays a text, which the check refuses. */
function parsed({ kind }: InitField, text: string): unknown {
  if (kind === 'switch') return /^y(es)?$/i.test(text)
  if (kind === 'list') return listOf(text)
  if (kind === 'tls') return text.toLowerCase()
  return kind === 'port' && /^\d+$/.test(text) ? Number(text) : text
}
