/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The fields of the editor, and the preview of the next times. */
import type { Child, FC } from 'hono/jsx'
import { TASKS, type TaskRef } from '../../../tasks/executions/contract.ts'
import { PREVIEW_SCHEDULE, type SchedulePreview } from '../../../tasks/schedule/contract.ts'
import { type Asked, QLIK_MS } from '../../ask.ts'
import { Refused } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { FieldError, useInvalid } from '../../ui/forms.tsx'
import { Panel } from '../../ui/panel.tsx'
import { clockText, Name, offsetText, plainName, weekdayText } from '../../ui/text.tsx'
import { DAYS, previewBody } from './form.ts'

export type Texts = (name: string) => string

/** Names of the tasks of the site; empty while Qlik Sense does not answer or the scope is missing. */
export async function taskNames(context: PageContext): Promise<readonly TaskRef[]> {
  const answer = await context.ask(TASKS, { query: { limit: 500 }, withinMs: QLIK_MS })
  return answer.ok ? answer.data.tasks : []
}

const choice = (
  name: string,
  label: string,
  options: readonly (readonly [value: string, text: string])[],
  value: string,
): Child => (
  <label class="field">
    <span>{label}</span>
    <select name={name}>
      {options.map(([one, text]) => (
        <option value={one} selected={one === value}>
          {text}
        </option>
      ))}
    </select>
    <FieldError name={name} />
  </label>
)

interface InputProps {
  readonly name: string
  readonly label: string
  readonly value: string
  readonly type?: string
  readonly placeholder?: string
  readonly required?: boolean
  readonly list?: string
  readonly class?: string
  readonly wrong?: string | null
}

const Input: FC<InputProps> = ({ label, class: extra = '', type = 'text', wrong = null, ...input }) => (
  <label class={`field ${extra}`.trim()}>
    <span>{label}</span>
    <input
      type={type}
      autocomplete="off"
      {...input}
      {...(wrong === input.name && { 'aria-invalid': 'true', 'aria-describedby': 'next' })}
      {...useInvalid(input.name)}
    />
    <FieldError name={input.name} />
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
  /** Name of the field that the preview refuses. */
  readonly wrong?: string | null
}

/** All fields of a schedule. */
export const ScheduleFields: FC<FieldsProps> = ({ get, tasks, wrong = null }) => (
  <>
    {['id', 'revision', 'target', 'actionRest', 'windowKept'].map((name) =>
      get(name) === '' ? null : <input type="hidden" name={name} value={get(name)} />,
    )}
    <fieldset class="group">
      <legend>Name and state</legend>
      <Input name="name" label="Name" value={get('name')} required class="grow" />
      {radio('state', 'started', get('state'), 'runs')}
      {radio('state', 'stopped', get('state'), 'paused')}
    </fieldset>
    <fieldset class="group">
      <legend>When</legend>
      {radio('kind', 'simple', get('kind'), 'simple')}
      {choice(
        'every',
        'every',
        DAYS.map(([value, text]) => [value, text]),
        get('every'),
      )}
      <Input wrong={wrong} name="at" label="at" type="time" value={get('at')} />
      {radio('kind', 'cron', get('kind'), 'cron')}
      <Input wrong={wrong} name="cron" label="Expression" value={get('cron')} placeholder="0 6 * * 1-5" class="mono" />
      <Input wrong={wrong} name="timezone" label="Zone" value={get('timezone')} list="zones" required />
      <datalist id="zones">
        {zones().map((zone) => (
          <option value={zone} />
        ))}
      </datalist>
    </fieldset>
    <fieldset class="group">
      <legend>Days without a start</legend>
      <Input
        wrong={wrong}
        name="notOn"
        label="Calendars of these days"
        value={get('notOn')}
        placeholder="calendars, by comma"
      />
      <Input
        wrong={wrong}
        name="onlyOn"
        label="Calendars of the only days"
        value={get('onlyOn')}
        placeholder="calendars, by comma"
      />
      {get('windowKept') === '' ? (
        <Input wrong={wrong} name="window" label="Window" value={get('window')} placeholder="windows, by comma" />
      ) : (
        <span class="sub">The file has a window of its own for this schedule, which stays as it is.</span>
      )}
      {choice(
        'shift',
        'On such a day',
        [
          ['none', 'skip'],
          ['previous', 'move to the day before'],
          ['next', 'move to the day after'],
        ],
        get('shift'),
      )}
    </fieldset>
    <fieldset class="group">
      <legend>What</legend>
      {choice(
        'action',
        'Do',
        [
          ['startTask', 'start tasks'],
          ['appDump', 'dump apps'],
          ['webhook', 'call a webhook'],
        ],
        get('action'),
      )}
      <TaskField value={get('task')} tasks={tasks} wrong={wrong} />
      {get('target').startsWith('[') ? (
        <span class="sub">Further tasks are selected in the file, and stay as they are.</span>
      ) : (
        <Input name="startTags" label="and tasks with tags" value={get('startTags')} placeholder="nightly, sales" />
      )}
      <Input name="actionName" label="Folder or webhook" value={get('actionName')} placeholder="of a dump or a call" />
    </fieldset>
    <fieldset class="group">
      <legend>Then</legend>
      {choice(
        'overlapPolicy',
        'If still running',
        [
          ['allow', 'start again'],
          ['skip', 'skip'],
          ['queue', 'wait'],
        ],
        get('overlapPolicy'),
      )}
      {choice(
        'misfirePolicy',
        'Missed while Footman was down',
        [
          ['skip', 'skip'],
          ['runOnce', 'run once'],
        ],
        get('misfirePolicy'),
      )}
      <Input name="jitter" label="Spread over" value={get('jitter')} placeholder="0s" />
    </fieldset>
  </>
)

const TaskField: FC<{
  readonly value: string
  readonly tasks: readonly TaskRef[]
  readonly wrong: string | null
}> = ({ value, tasks, wrong }) => {
  if (tasks.length === 0) return <Input wrong={wrong} name="task" label="Task id" value={value} class="grow" />
  const isKnown = value === '' || tasks.some(({ taskId }) => taskId === value)
  const options = tasks.map(({ taskId, taskName }) => [taskId, plainName(taskName)] as const)
  return choice('task', 'Task', [['', 'none'], ...(isKnown ? [] : [[value, value] as const]), ...options], value)
}

const zones = (): readonly string[] => ['UTC', ...Intl.supportedValuesOf('timeZone')]

export const askPreview = (context: PageContext, get: Texts): Promise<Asked<SchedulePreview>> =>
  context.ask(PREVIEW_SCHEDULE, { body: previewBody({ get }) })

/** Name of the field that a refused preview is about; null for none. */
export function wrongField(preview: Asked<unknown>, get: Texts): string | null {
  if (preview.ok) return null
  if (preview.code === 'INVALID_CRON') return get('kind') === 'cron' ? 'cron' : 'at'
  if (preview.code === 'INVALID_TIMEZONE') return 'timezone'
  const named = preview.issues[0]?.path ?? /Invalid (\w+):/.exec(`${preview.error}: ${preview.details}`)?.[1] ?? ''
  const [field = ''] = named.split('.')
  if (field === 'qlikSenseTaskId') return 'task'
  return ['', 'body'].includes(field) ? null : field
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
  <div data-times aria-live="polite" data-wrong={wrongField(preview, get) ?? undefined}>
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
