/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Actions on schedules. */
import type { Child } from 'hono/jsx'
import { type AnswerOf, addressOf } from '../../../http/endpoint/contract.ts'
import {
  CHANGE_SCHEDULE,
  CREATE_SCHEDULE,
  DELETE_SCHEDULE,
  RUN_SCHEDULE,
  SCHEDULES,
  type ShownSchedule,
  START_SCHEDULE,
  START_SCHEDULES,
  STOP_SCHEDULE,
  STOP_SCHEDULES,
  type StoredSchedule,
} from '../../../tasks/schedule/contract.ts'
import { type Call, type Fields, hiddenOf, type Operation, type Operations } from '../../forms.tsx'
import type { PageContext } from '../../page.ts'
import { counted, Name, Time } from '../../ui/text.tsx'
import { refusedEditor } from './editor.tsx'
import { ScheduleFields, taskNames } from './fields.tsx'
import { fieldsOfSchedule, membersOf, nameOf, newMembers } from './form.ts'

const own = (fields: Fields) => ({ params: { id: fields.get('id') } })
const pageOf = (id: string): string => `/schedules/${encodeURIComponent(id)}`
const ifMatch = (fields: Fields) =>
  fields.get('revision') ? { headers: { 'if-match': `"${fields.get('revision')}"` } } : {}

/** From so many on the number has to be typed. */
const MANY = 20

/** One schedule by its own call, or those that are selected. */
function stateOperation(verb: 'Resume' | 'Pause'): Operation {
  const [one, many] = verb === 'Resume' ? [START_SCHEDULE, START_SCHEDULES] : [STOP_SCHEDULE, STOP_SCHEDULES]
  return {
    scope: 'schedule:run',
    verb,
    call: (fields): Call => {
      const ids = fields.all('id')
      return ids.length === 1 ? addressOf(one, own(fields)) : { ...addressOf(many, {}), body: { id: ids } }
    },
    dialog: (fields) => {
      const ids = fields.all('id')
      return (
        <>
          <p>{`${verb} ${counted(ids.length, 'schedule')}.`}</p>
          {hiddenOf(ids.map((id) => ['id', id]))}
        </>
      )
    },
    typed: (fields) => {
      const { length } = fields.all('id')
      return length > MANY ? String(length) : null
    },
    done: (_, fields) => `${counted(fields.all('id').length, 'schedule')} ${verb.toLowerCase()}d.`,
  }
}

/** The editor again, below the error; with both versions when the file has changed meanwhile. */
async function editorAgain(fields: Fields, context: PageContext): Promise<Child> {
  const [tasks, current] = await Promise.all([taskNames(context), currentOf(fields, context)])
  const isOld = current !== null && current.revision !== fields.get('revision')
  const get = (name: string) => (isOld && name === 'revision' ? current.revision : fields.get(name))
  return (
    <>
      {isOld && <Comparison current={current} fields={fields} />}
      <ScheduleFields get={get} tasks={tasks} />
    </>
  )
}

async function currentOf(fields: Fields, { ask }: PageContext): Promise<ShownSchedule | null> {
  const id = fields.get('id')
  if (id === '') return null
  const found = await ask(SCHEDULES, { query: { id } })
  return found.ok ? (found.data[0] ?? null) : null
}

/** Members that differ between the file and the form. */
const Comparison = ({ current, fields }: { readonly current: ShownSchedule; readonly fields: Fields }) => {
  const texts = fieldsOfSchedule(current)
  const [theirs, mine] = [membersOf({ get: (name) => texts[name] ?? '' }), membersOf(fields)]
  const differing = Object.keys(mine).filter((name) => JSON.stringify(mine[name]) !== JSON.stringify(theirs[name]))
  return (
    <>
      <p>Saving again replaces these members of the schedule:</p>
      <table class="tbl">
        <caption class="sr">Differences</caption>
        <thead>
          <tr>
            <th scope="col">Member</th>
            <th scope="col">In the file now</th>
            <th scope="col">In this form</th>
          </tr>
        </thead>
        <tbody>
          {differing.map((name) => (
            <tr>
              <td>
                <code>{name}</code>
              </td>
              <td data-t="File">
                <Name text={textOf(theirs[name])} />
              </td>
              <td data-t="Form">
                <Name text={textOf(mine[name])} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </>
  )
}

const textOf = (value: unknown): string =>
  typeof value === 'string' ? value : value === null || value === undefined ? '–' : JSON.stringify(value)

export const scheduleOperations: Operations = {
  'schedule.create': {
    scope: 'schedule:write',
    verb: 'Save the new schedule',
    call: (fields) => ({ ...addressOf(CREATE_SCHEDULE, {}), body: newMembers(fields) }),
    dialog: editorAgain,
    page: refusedEditor,
    required: ['name'],
    done: (answer) => `The schedule ${nameOf(answer as StoredSchedule)} was made.`,
    next: (answer) => pageOf((answer as StoredSchedule).id),
  },
  'schedule.update': {
    scope: 'schedule:write',
    verb: 'Save the schedule',
    call: (fields) => ({ ...addressOf(CHANGE_SCHEDULE, own(fields)), body: membersOf(fields), ...ifMatch(fields) }),
    dialog: editorAgain,
    page: refusedEditor,
    required: ['name'],
    done: (answer) => {
      const [schedule] = answer as AnswerOf<typeof CHANGE_SCHEDULE>
      return `The schedule ${schedule ? nameOf(schedule) : ''} was saved.`
    },
    next: (_, fields) => pageOf(fields.get('id')),
  },
  'schedule.start': stateOperation('Resume'),
  'schedule.stop': stateOperation('Pause'),
  'schedule.run': {
    scope: 'schedule:run',
    verb: 'Run now',
    call: (fields) => addressOf(RUN_SCHEDULE, own(fields)),
    dialog: async (fields, context) => {
      const schedule = await currentOf(fields, context)
      return (
        <>
          <p>
            The schedule{' '}
            <b>
              <Name text={schedule?.name ?? fields.get('id')} />
            </b>{' '}
            runs once, now. Its windows and calendars are not asked, and it does not matter whether it is paused.
          </p>
          {hiddenOf([['id', fields.get('id')]])}
        </>
      )
    },
    done: () => 'The schedule runs.',
    next: (answer, fields) => `${pageOf(fields.get('id'))}/runs/${(answer as AnswerOf<typeof RUN_SCHEDULE>).runId}`,
  },
  'schedule.delete': {
    scope: 'schedule:write',
    verb: 'Delete the schedule',
    call: (fields) => ({ ...addressOf(DELETE_SCHEDULE, own(fields)), ...ifMatch(fields) }),
    dialog: async (fields, context) => {
      const schedule = await currentOf(fields, context)
      return (
        <>
          <p>
            The schedule{' '}
            <b>
              <Name text={schedule?.name ?? fields.get('id')} />
            </b>{' '}
            is taken out of the file.{' '}
            {schedule?.nextRun ? (
              <>
                Its next run, <Time at={schedule.nextRun} zone={context} />, will not happen.
              </>
            ) : (
              'It has no next run.'
            )}
          </p>
          {hiddenOf([
            ['id', fields.get('id')],
            ['revision', schedule?.revision ?? ''],
          ])}
        </>
      )
    },
    done: () => 'The schedule was deleted.',
    next: () => '/schedules',
  },
}
