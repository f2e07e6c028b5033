/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Actions on report tasks, their runs and definitions. */
import type { Child } from 'hono/jsx'
import {
  COPY_TASK,
  DEFINITIONS,
  type DefinitionOf,
  SWITCH_TASKS,
  type Switched,
} from '../../../reports/entities/contract.ts'
import {
  CANCEL_RUN,
  RESEND_RUN,
  type Resend,
  RUN_DELIVERIES,
  type Run,
  START_TASKS,
  type Started,
} from '../../../reports/runs/contract.ts'
import { REMOVE_TEMPLATE } from '../../../reports/templates/contract.ts'
import { callOf, type Fields, hiddenOf, type Operation, type Operations } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { Name } from '../../ui/text.tsx'
import { importOperation } from './import.tsx'
import { definitionOf, isKind, KINDS, listed, pathOf, uses } from './kinds.ts'
import { saveOperation } from './save.ts'

/** Above this number of tasks it has to be typed. */
const TYPED_ABOVE = 20

const LONGEST_FLASH = 1000
/** Parts with a list each, those that are empty left out: `Switched on: A, B. Not found: c`. */
function sentences(parts: readonly (readonly [string, readonly string[]])[], none: string): string {
  const texts = parts.filter(([, names]) => names.length > 0).map(([what, names]) => `${what}: ${names.join(', ')}`)
  const text = texts.length === 0 ? none : `${texts.join('. ')}.`
  return text.length > LONGEST_FLASH ? `${text.slice(0, LONGEST_FLASH)}…` : text
}

const names = (tasks: readonly { readonly taskName: string }[]): string[] => tasks.map(({ taskName }) => taskName)
const typedNumber = (fields: Fields): string | null => {
  const count = fields.all('taskId').length
  return count > TYPED_ABOVE ? String(count) : null
}

const switching = (verb: 'enable' | 'disable', title: string, word: string): Operation => ({
  scope: 'report:run',
  verb: title,
  typed: typedNumber,
  call: (fields) => callOf(SWITCH_TASKS[verb].several, { body: { taskId: fields.all('taskId') } }),
  done(answer) {
    const { tasksChanged, tasksUnchanged, tasksNotFound, tasksRefused } = answer as Switched
    return sentences(
      [
        [`Switched ${word}`, names(tasksChanged)],
        [`Was ${word} already`, names(tasksUnchanged)],
        ['Refused', tasksRefused.map(({ taskName, details }) => `${taskName} (${details})`)],
        ['Not found', tasksNotFound],
      ],
      'Nothing was selected',
    )
  },
})

const Check = ({ name, text, on = false }: { name: string; text: string; on?: boolean }): Child => (
  <label class="check">
    <span>{text}</span>
    <input type="checkbox" name={name} value="1" checked={on} />
  </label>
)

const hiddenIds = (fields: Fields): Child => hiddenOf(fields.all('taskId').map((id) => ['taskId', id] as const))

async function namesOf(context: PageContext, ids: readonly string[]): Promise<readonly string[]> {
  const answers = await Promise.all(ids.slice(0, TYPED_ABOVE).map((id) => definitionOf(context, 'task', id)))
  return answers.map((answer, n) => (answer.ok ? answer.data.name : ids[n]!))
}

const start: Operation = {
  scope: 'report:run',
  verb: 'Start',
  typed: typedNumber,
  async dialog(fields, context) {
    const ids = fields.all('taskId')
    const shown = await namesOf(context, ids)
    return (
      <>
        {hiddenIds(fields)}
        <p>
          {ids.length === 0 ? 'No task is selected.' : <Name text={shown.join(', ')} />}
          {ids.length > shown.length && ` and ${ids.length - shown.length} more`}
        </p>
        <Check name="test" text="Test: all mails go to the test address" on={fields.get('test') === '1'} />
        <label class="field">
          <span>Test address</span>
          <input type="email" name="testAddress" value={fields.get('testAddress')} placeholder="that of the task" />
        </label>
        <Check name="dryRun" text="Make the documents, deliver nothing" on={fields.get('dryRun') === '1'} />
        <Check name="ignoreConditions" text="Do not ask the conditions" on={fields.get('ignoreConditions') === '1'} />
        <Check name="force" text="Also a task that is off" on={fields.get('force') === '1'} />
        <label class="field">
          <span>Reason</span>
          <input name="reason" maxlength={200} value={fields.get('reason')} autocomplete="off" />
        </label>
      </>
    )
  },
  call(fields) {
    const flags = ['test', 'dryRun', 'ignoreConditions', 'force'].map(
      (name) => [name, fields.get(name) === '1'] as const,
    )
    const texts = ['testAddress', 'reason'].filter((name) => fields.get(name) !== '')
    return callOf(START_TASKS, {
      body: {
        taskId: fields.all('taskId'),
        ...Object.fromEntries(flags.filter(([, on]) => on)),
        ...Object.fromEntries(texts.map((name) => [name, fields.get(name)])),
      },
    })
  },
  done(answer) {
    const { tasksStarted, tasksSkipped, tasksNotFound } = answer as Started
    return sentences(
      [
        ['Started', names(tasksStarted)],
        ['Not started', tasksSkipped.map(({ taskName, code }) => `${taskName} (${code})`)],
        ['Not found', tasksNotFound],
      ],
      'Nothing was started',
    )
  },
  next(answer) {
    const { tasksStarted } = answer as Started
    return tasksStarted.length === 1 ? `/reports/runs/${tasksStarted[0]!.runId}` : null
  },
}

const runOf = (fields: Fields) => ({ runId: fields.get('runId') })

const cancel: Operation = {
  scope: 'report:run',
  verb: 'Cancel the run',
  dialog: (fields) => (
    <>
      {hiddenOf([['runId', fields.get('runId')]])}
      <p>The step under way ends; the deliveries that are not sent yet are left out. The others stay sent.</p>
    </>
  ),
  call: (fields) => callOf(CANCEL_RUN, { params: runOf(fields) }),
  done: () => 'The run is being cancelled',
}

const CORRECTION = 'to:'
/** The states of deliveries that are sent again: those of the link, else failed. */
const statesOf = (fields: Fields): readonly string[] => {
  const asked = fields.all('states').filter((state) => state !== '')
  return asked.length > 0 ? asked : ['failed']
}
/** The mail server may have accepted what is in these states. */
const isDoubtful = (fields: Fields): boolean => statesOf(fields).some((state) => /^(unknown|sent)$/.test(state))

const resend: Operation = {
  scope: 'report:run',
  verb: 'Send again',
  async dialog(fields, { ask }) {
    const states = statesOf(fields)
    const answer = await ask(RUN_DELIVERIES, { params: runOf(fields) })
    const deliveries = answer.ok ? answer.data.deliveries : []
    const found = deliveries.filter(({ state, channel }) => channel !== 'notification' && states.includes(state))
    const mails = found.filter(({ channel }) => channel === 'email')
    const addresses = new Set(mails.flatMap(({ target }) => target.split(', ')))
    return (
      <>
        {hiddenOf([['runId', fields.get('runId')], ...states.map((state) => ['states', state] as const)])}
        <p>
          {found.length} of the state {states.join(' or ')} are sent once more, with the stored documents. Correct an
          address where it is wrong.
        </p>
        {[...addresses].map((address) => (
          <label class="field">
            <span>Mail to</span>
            <input name={`${CORRECTION}${address}`} value={fields.get(`${CORRECTION}${address}`) || address} />
          </label>
        ))}
        {found.map(
          ({ target, channel }) =>
            channel !== 'email' && (
              <p>
                {channel}: <Name text={target} />
              </p>
            ),
        )}
        {isDoubtful(fields) && (
          <>
            <p class="warn">The mail server may have accepted these: they may arrive twice.</p>
            <label class="check">
              <span>Send them although they may arrive twice</span>
              <input type="checkbox" name="confirmDuplicates" value="1" required />
            </label>
          </>
        )}
      </>
    )
  },
  // The endpoint refuses `sent` itself.
  isComplete: (fields) => !statesOf(fields).includes('unknown') || fields.get('confirmDuplicates') === '1',
  call(fields) {
    const corrected = [...fields.form].flatMap(([name, value]): [string, string][] => {
      const target = name.startsWith(CORRECTION) ? name.slice(CORRECTION.length) : ''
      return target !== '' && value.trim() !== '' && value.trim() !== target ? [[target, value.trim()]] : []
    })
    return callOf(RESEND_RUN, {
      params: runOf(fields),
      body: {
        // The endpoint refuses others.
        states: statesOf(fields) as Resend['states'],
        corrections: Object.fromEntries(corrected),
        // That of a mail in doubt is for the page alone: the endpoint refuses what another resend has sent meanwhile.
        confirmDuplicates: statesOf(fields).includes('sent') && fields.get('confirmDuplicates') === '1',
      },
    })
  },
  done: () => 'A run sends them again',
  next: (answer) => `/reports/runs/${(answer as Run).id}`,
}

const remove: Operation = {
  scope: 'report:write',
  verb: 'Delete',
  async dialog(fields, context) {
    const [kind, id] = [fields.get('kind'), fields.get('id')]
    if (!isKind(kind)) return null
    const [own, ...lists] = await Promise.all([
      definitionOf(context, kind, id),
      ...(['task', 'report', 'recipient', 'group'] as const).map((one) => listed(context, one)),
    ])
    const users = lists.flatMap((list) => (list.ok ? list.data.items : [])).filter((one) => uses(one, id))
    return (
      <>
        {hiddenOf([
          ['kind', kind],
          ['id', id],
        ])}
        <p>
          The {KINDS[kind].one} <b>{own.ok ? <Name text={own.data.name} /> : id}</b> is deleted. This cannot be undone.
        </p>
        {users.length > 0 && (
          <p class="warn">
            It is in use, and will not be deleted: <Name text={users.map(({ name }) => name).join(', ')} />
          </p>
        )}
      </>
    )
  },
  call(fields) {
    const kind = fields.get('kind')
    return callOf(DEFINITIONS[isKind(kind) ? kind : 'task'].remove, { params: pathOf(fields.get('id')) })
  },
  done: () => 'It is deleted',
}

const removeTemplate: Operation = {
  scope: 'report:write',
  verb: 'Delete the template',
  dialog: (fields) => (
    <>
      {hiddenOf([['id', fields.get('id')]])}
      <p>The report has no template then, and cannot be made until another one is uploaded.</p>
    </>
  ),
  call: (fields) => callOf(REMOVE_TEMPLATE, { params: { id: fields.get('id') } }),
  done: () => 'The template is deleted',
}

const copy: Operation = {
  scope: 'report:write',
  verb: 'Copy',
  call: (fields) => callOf(COPY_TASK, { params: { taskId: fields.get('id') }, body: {} }),
  done: (answer) => `"${(answer as DefinitionOf<'task'>).name}" is a copy, which is off`,
  next: (answer) => `${KINDS.task.path}/${(answer as DefinitionOf<'task'>).id}/edit`,
}

export const reportOperations: Operations = {
  'reporttask.enable': switching('enable', 'Enable', 'on'),
  'reporttask.disable': switching('disable', 'Disable', 'off'),
  'reporttask.start': start,
  'reporttask.copy': copy,
  'reportrun.cancel': cancel,
  'reportrun.resend': resend,
  'reports.save': saveOperation,
  'reports.delete': remove,
  'reports.template.delete': removeTemplate,
  'recipient.import': importOperation,
}
