/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The fields of the editor, and the preview of the next times. */
import { type Child, type FC, type PropsWithChildren, useContext } from 'hono/jsx'
import { TASKS, type TaskRef } from '../../../tasks/executions/contract.ts'
import { PREVIEW_SCHEDULE, type SchedulePreview } from '../../../tasks/schedule/contract.ts'
import { type Asked, QLIK_MS } from '../../ask.ts'
import { Refused } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { Fields as FormFields } from '../../schema-form/controls.tsx'
import type { Field, Options } from '../../schema-form/fields.ts'
import { FieldError, FormErrors, TextField, useInvalid } from '../../ui/forms.tsx'
import { Panel } from '../../ui/panel.tsx'
import { clockText, Name, offsetText, plainName, weekdayText } from '../../ui/text.tsx'
import { DAYS, previewBody, schemaFields, schemaMembers } from './form.ts'

export type Texts = (name: string) => string

/** Names of the tasks of the site; empty while Qlik Sense does not answer or the scope is missing. */
export async function taskNames(context: PageContext): Promise<readonly TaskRef[]> {
  const answer = await context.ask(TASKS, { query: { limit: 500 }, withinMs: QLIK_MS })
  return answer.ok ? answer.data.tasks : []
}

interface ChoiceProps {
  readonly name: string
  readonly label: string
  readonly options: Options
  readonly value: string
}

const Choice: FC<ChoiceProps> = ({ name, label, options, value }) => (
  <label class="field">
    <span>{label}</span>
    <select name={name} {...useInvalid(name)}>
      {options.map(([one, text]) => (
        <option value={one} selected={one === value}>
          {text}
        </option>
      ))}
    </select>
    <FieldError name={name} />
  </label>
)

const radio = (name: string, value: string, chosen: string, text: Child): Child => (
  <label class="pick">
    <input type="radio" name={name} value={value} checked={value === chosen} /> {text}
  </label>
)

interface FieldsProps {
  /** Answers the text of a field. */
  readonly get: Texts
  readonly tasks: readonly TaskRef[]
}

const ACTIONS: Options = [
  ['startTask', 'start tasks'],
  ['appDump', 'dump apps'],
  ['webhook', 'call a webhook'],
]

/** All fields of a schedule. */
export const ScheduleFields: FC<FieldsProps> = ({ get, tasks }) => {
  const form = { definition: schemaMembers({ get }), choices: {}, prefix: '' }
  const fieldsOf = (isWanted: (field: Field) => boolean) => (
    <FormFields form={form} fields={schemaFields().filter(isWanted)} />
  )
  const isKept = get('windowKept') !== ''
  return (
    <>
      {['id', 'revision', 'target', 'actionRest', 'windowKept'].map((name) =>
        get(name) === '' ? null : <input type="hidden" name={name} value={get(name)} />,
      )}
      <fieldset class="group">
        <legend>Name and state</legend>
        {fieldsOf(({ at }) => at === 'name')}
        {radio('state', 'started', get('state'), 'runs')}
        {radio('state', 'stopped', get('state'), 'paused')}
      </fieldset>
      <fieldset class="group">
        <legend>When</legend>
        {radio('kind', 'simple', get('kind'), 'simple')}
        <Choice name="every" label="every" options={DAYS.map(([value, text]) => [value, text])} value={get('every')} />
        <TextField name="at" label="at" type="time" value={get('at')} />
        {radio('kind', 'cron', get('kind'), 'cron')}
        <TextField name="cron" label="Expression" value={get('cron')} placeholder="0 6 * * 1-5" class="mono" />
        {fieldsOf(({ at }) => at === 'timezone')}
      </fieldset>
      <fieldset class="group">
        <legend>Days without a start</legend>
        {fieldsOf(({ at, group }) => group === 'days' && !(at === 'window' && isKept))}
        {isKept && <span class="sub">The file has a window of its own for this schedule, which stays as it is.</span>}
      </fieldset>
      <fieldset class="group">
        <legend>What</legend>
        <Choice name="action" label="Do" options={ACTIONS} value={get('action')} />
        <TaskField value={get('task')} tasks={tasks} />
        {get('target').startsWith('[') ? (
          <span class="sub">Further tasks are selected in the file, and stay as they are.</span>
        ) : (
          <TextField
            name="startTags"
            label="and tasks with tags"
            value={get('startTags')}
            placeholder="nightly, sales"
          />
        )}
        <TextField
          name="actionName"
          label="Folder or webhook"
          value={get('actionName')}
          placeholder="of a dump or a call"
        />
      </fieldset>
      <fieldset class="group">
        <legend>Then</legend>
        {fieldsOf(({ group }) => group === 'then')}
      </fieldset>
    </>
  )
}

const TaskField: FC<{ readonly value: string; readonly tasks: readonly TaskRef[] }> = ({ value, tasks }) => {
  if (tasks.length === 0) return <TextField name="task" label="Task id" value={value} class="grow" />
  const isKnown = value === '' || tasks.some(({ taskId }) => taskId === value)
  const options = tasks.map(({ taskId, taskName }) => [taskId, plainName(taskName)] as const)
  const all = [['', 'none'] as const, ...(isKnown ? [] : [[value, value] as const]), ...options]
  return <Choice name="task" label="Task" options={all} value={value} />
}

export const askPreview = (context: PageContext, get: Texts): Promise<Asked<SchedulePreview>> =>
  context.ask(PREVIEW_SCHEDULE, { body: previewBody({ get }) })

/** Name of the field that a refused preview is about; null for none. */
export function wrongField(preview: Asked<unknown>, get: Texts): string | null {
  if (preview.ok) return null
  const time = get('kind') === 'cron' ? 'cron' : 'at'
  if (preview.code === 'INVALID_CRON') return time
  if (preview.code === 'INVALID_TIMEZONE') return 'timezone'
  const named = preview.issues[0]?.path ?? /Invalid (\w+):/.exec(`${preview.error}: ${preview.details}`)?.[1] ?? ''
  const [field = ''] = named.split('.')
  const controls: Readonly<Record<string, string>> = {
    cronSchedule: time,
    qlikSenseTaskId: 'task',
    target: 'startTags',
    action: 'actionName',
  }
  return ['', 'body'].includes(field) ? null : (controls[field] ?? field)
}

interface PreviewErrorsProps {
  readonly preview: Asked<unknown>
  readonly get: Texts
}

/** The reason at the field that the preview refuses, beside those of a save that was refused. */
export const PreviewErrors: FC<PropsWithChildren<PreviewErrorsProps>> = ({ preview, get, children }) => {
  const refused = useContext(FormErrors)
  const field = wrongField(preview, get)
  const own = preview.ok || field === null ? [] : [[field, preview.details || preview.error] as const]
  return <FormErrors.Provider value={new Map([...own, ...refused])}>{children}</FormErrors.Provider>
}

/** Skipped days that stand among the next times; further ones are counted. */
const MOST_SKIPPED = 30

interface PreviewPanelProps {
  readonly context: PageContext
  readonly preview: Asked<SchedulePreview>
  readonly get: Texts
}

/** The next times in the order of time, skipped ones with what keeps them, in the zones of schedule and page. */
export const PreviewPanel: FC<PreviewPanelProps> = ({ context, preview, get }) => (
  <div data-times aria-live="polite">
    <Panel id="next" title="Next times">
      {preview.ok ? (
        <PreviewTable context={context} {...preview.data} timezone={get('timezone')} />
      ) : (
        <Refused failure={preview} verb="Next times" />
      )}
    </Panel>
  </div>
)

interface PreviewTableProps extends SchedulePreview {
  readonly context: PageContext
  /** The zone of the schedule. */
  readonly timezone: string
}

const PreviewTable: FC<PreviewTableProps> = ({ context, next, skipped, text, warnings, timezone }) => {
  const left = Math.max(0, skipped.length - MOST_SKIPPED)
  const rows = [
    ...next.map((at) => ({ at, why: null })),
    ...skipped.slice(0, MOST_SKIPPED).map(({ at, reason, by }) => ({ at, why: by ?? reason.toLowerCase() })),
  ].sort((a, b) => a.at.localeCompare(b.at))
  // Where clocks change meanwhile, each time says by how much it differs from UTC.
  const offsets = rows.map(({ at }) => offsetText(Date.parse(at), timezone))
  const isChanging = new Set(offsets).size > 1
  const isSame = timezone === context.timezone
  return (
    <div class="body stack">
      <p class="lead">{text}</p>
      {warnings.map((warning) => (
        <p class="warn">Cannot be read: {warning}</p>
      ))}
      {rows.length === 0 && <p class="sub">It never fires.</p>}
      <table class="tbl times">
        <caption class="sr">The next times of this schedule</caption>
        <thead>
          <tr>
            <th scope="col">{timezone}</th>
            <th scope="col" data-here-head={timezone} hidden={isSame}>
              {context.timezone}
            </th>
          </tr>
        </thead>
        <tbody>
          {rows.map(({ at, why }, n) => {
            const instant = Date.parse(at)
            const own = `${weekdayText(instant, timezone)} ${clockText(instant, timezone)}`
            return (
              <tr>
                <td>
                  {why === null ? own : <s>{own}</s>}
                  {isChanging && <span class="sub"> {offsets[n]}</span>}
                  {why !== null && (
                    <div class="sub">
                      skipped: <Name text={why} />
                    </div>
                  )}
                </td>
                <td class="muted" hidden={isSame}>
                  <span data-here={at}>
                    {isSame ? '' : `${weekdayText(instant, context.timezone)} ${clockText(instant, context.timezone)}`}
                  </span>
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {left > 0 && <p class="sub">{`${left} further times are skipped.`}</p>}
    </div>
  )
}
