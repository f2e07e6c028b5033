/** Variables of an app, changed in the session only and set back for the next document. */
import { ReportError } from '../codes.ts'
import { type Cell, EvaluationError } from '../types.ts'
import { asObject, cellOf, type OpenApp } from './app.ts'

export interface Variables {
  /** Rejects with `FILTER_FAILED` when the app has no such variable, or keeps another value. */
  set(name: string, value: string | number): Promise<void>
  /** The value, evaluated when the definition is an expression. Rejects with an `EvaluationError` when there is none. */
  value(name: string): Promise<Cell>
  /** Notes the present values of variables that a bookmark is going to change; unknown names are ignored. */
  remember(names: readonly string[]): Promise<void>
  /** Gives every changed variable the value of before. */
  restore(): Promise<void>
}

export function createVariables(app: OpenApp): Variables {
  const before = new Map<string, string>()

  const find = (name: string) => app.doc.child('GetVariableByName', [name])

  async function remember(name: string) {
    const variable = await find(name)
    if (variable && !before.has(name)) before.set(name, String(await variable.value('qReturn', 'GetRawContent')))
    return variable
  }

  return {
    async set(name, value) {
      const variable = await remember(name)
      if (!variable) throw new ReportError('FILTER_FAILED', `the app "${app.name}" has no variable "${name}"`)
      if (typeof value === 'number') return void (await variable.call('SetNumValue', [value]))
      await variable.call('SetStringValue', [value])
      const actual = await variable.value('qReturn', 'GetRawContent')
      if (actual !== value) throw new ReportError('FILTER_FAILED', `the variable "${name}" did not take its value`)
    },
    async value(name) {
      const variable = await find(name)
      if (!variable) throw new EvaluationError(`the app "${app.name}" has no variable "${name}"`)
      const { qText, qNum } = asObject(await variable.value('qLayout', 'GetLayout'))
      return cellOf(qText, qNum)
    },
    async remember(names) {
      for (const name of names) await remember(name)
    },
    async restore() {
      for (const [name, content] of before) await (await find(name))?.call('SetStringValue', [content])
      before.clear()
    },
  }
}
