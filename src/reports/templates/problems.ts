/** Problems of Office templates: all of a file are collected before it is refused. */
import { ReportError } from '../codes.ts'
import type { TemplateProblem } from './contract.ts'

/** More problems than this are counted, not listed. */
export const MAX_PROBLEMS = 50

const sentence = ({ place, details }: TemplateProblem): string => (place ? `${place}: ${details}` : details)

/** A template that cannot be used. `code` and the beginning of `details` are those of the first problem. */
export class TemplateError extends ReportError {
  constructor(readonly problems: readonly TemplateProblem[]) {
    const first = problems[0] ?? { code: 'TEMPLATE_INVALID', place: '', details: 'unknown problem' }
    const listed = problems.slice(0, MAX_PROBLEMS)
    const hidden = problems.length - listed.length
    super(first.code, [...listed.map(sentence), ...(hidden > 0 ? [`${hidden} more`] : [])].join('; '))
    this.problems = listed
  }
}

/** An error with one problem. */
export const templateError = (code: TemplateProblem['code'], place: string, details: string): TemplateError =>
  new TemplateError([{ code, place, details }])
