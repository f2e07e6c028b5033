/** Script logs that the repository does not hand out: when the archive is asked, and what its answer replaces. */
import { expect, test } from 'bun:test'
import { QrsError } from '../../../src/qlik/qrs/errors.ts'
import { orArchived, readScriptLog } from '../../../src/qlik/qrs/script-log.ts'
import { recordingLog } from '../../support/recording-log.ts'

const RESULT = { id: 'r', fileReferenceID: 'f', scriptLogLocation: 'qs-2\\Script\\a.log' }
const CALL = { endpoint: 'reloadtask', host: 'qs', port: 4242, method: 'GET', expectedStatus: [200] }
const refused = (status: number) => new QrsError('status', CALL, { status })

type Answer = string | null | Error

async function fetched(repository: Answer, archive: string | null, result: object = RESULT, signal?: AbortSignal) {
  const asked: string[] = []
  const log = recordingLog()
  const fetch = orArchived(
    async () => {
      if (repository instanceof Error) throw repository
      return repository
    },
    {
      async read(location) {
        asked.push(location)
        return archive
      },
      problem: () => null,
    },
    log,
  )
  const text = await fetch('t', result as typeof RESULT, signal).catch((error: unknown) => error)
  return { text, asked, lines: log.of('verbose') }
}

test.each<[string, Answer, string | null, Answer, number]>([
  ['handed out', 'log', 'archived', 'log', 0],
  ['empty', '', 'archived', 'archived', 1],
  ['empty in both', '', null, '', 1],
  ['not there', null, 'archived', 'archived', 1],
  ['not there in both', null, null, null, 1],
  ['not copied', refused(500), 'archived', 'archived', 1],
  ['forbidden', refused(403), 'archived', 'archived', 1],
])('a log that is %s', async (_, repository, archive, expected, times) => {
  const { text, asked } = await fetched(repository, archive)
  expect([text, asked]).toEqual([expected, Array(times).fill(RESULT.scriptLogLocation)])
})

test('where the archive has none either, the error of the repository counts', async () => {
  const error = refused(500)
  expect((await fetched(error, null)).text).toBe(error)
})

test('the log says why the archive was asked', async () => {
  expect((await fetched(refused(500), 'archived')).lines.join()).toContain('QRS answered 500')
})

test.each([{}, { scriptLogLocation: '' }, { scriptLogLocation: 7 }])(
  'of a result with %j nothing is asked',
  async (location) => {
    const result = { id: 'r', fileReferenceID: 'f', ...location }
    expect(await fetched(null, 'archived', result)).toMatchObject({ text: null, asked: [] })
  },
)

test('a caller that has gone is not waited for', async () => {
  const error = refused(500)
  expect(await fetched(error, 'archived', RESULT, AbortSignal.abort())).toMatchObject({ text: error, asked: [] })
})

test.each<[string, Answer, string]>([
  ['hands out none', null, 'It is too large. The repository does not hand it out: it has none.'],
  ['does not know it', refused(404), 'It is too large. The repository does not hand it out: QRS answered 404.'],
  ['cannot copy it', refused(500), 'It is too large. The repository does not hand it out: QRS answered 500.'],
])(
  'a log that the archive has and the repository %s: the reason of the archive is answered',
  async (_, answer, reason) => {
    const scriptLog = async () => {
      if (answer instanceof Error) throw answer
      return answer
    }
    const reading = (logProblem: () => string | null) => readScriptLog({ qrs: { scriptLog }, logProblem }, 't', RESULT)
    expect(await reading(() => 'It is too large.').catch((error: Error) => error.message)).toBe(reason)
    const without = await reading(() => null).catch((error: unknown) => error)
    expect(without).toBe(answer instanceof QrsError && answer.status === 500 ? answer : null)
  },
)
