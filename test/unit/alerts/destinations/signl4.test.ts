import { describe, expect, test } from 'bun:test'
import { createSignl4Destination, signl4Rules } from '../../../../src/alerts/butler-sections/signl4.ts'
import type { RenderInput } from '../../../../src/alerts/types.ts'
import { butler } from '../../../../src/app/schema.ts'
import type { TaskEvent } from '../../../../src/events/types.ts'
import { fullEvent, NASTY_NAME, nastyEvent, renderInput } from '../../../support/alerts.ts'
import { APP_ID, TASK_ID, taskEvent } from '../../../support/events.ts'
import { recordingLog } from '../../../support/recording-log.ts'

const clock = { now: () => 0 }

describe('SIGNL4', () => {
  const event = (more: object = {}) => ({
    enable: true,
    rateLimit: 15,
    serviceName: 'Qlik Sense',
    severity: 1,
    ...more,
  })
  const configured = (failure: object = {}, above: object = {}) =>
    butler.parse({
      incidentTool: {
        signl4: {
          enable: true,
          url: 'https://connect.signl4.com/webhook/secret',
          reloadTaskFailure: event(failure),
          reloadTaskAborted: event({ severity: 10 }),
          ...above,
        },
      },
    })

  async function body(config: ReturnType<typeof configured>, one: TaskEvent, changes: Partial<RenderInput> = {}) {
    const route = signl4Rules(config).find(({ when }) => when.outcomes.includes(one.outcome))!
    const { payload } = await createSignl4Destination({ clock, log: recordingLog() }, config).render(
      renderInput(route, one, changes),
    )
    return JSON.parse((payload as { body: string }).body)
  }

  test('a failed reload', async () => {
    const sent = await body(configured(), fullEvent())
    expect(JSON.stringify(sent)).toBe(
      `{"Title":"Qlik Sense reload task failed","Message":"Task: Sales DW - hourly","Severity":1,"X-S4-Service":"Qlik Sense","X-S4-ExternalID":"${TASK_ID}","X-S4-Status":"new"}`,
    )
  })

  test('an aborted reload', async () => {
    expect(await body(configured(), fullEvent({ outcome: 'aborted' }))).toMatchObject({
      Title: 'Qlik Sense task aborted',
      Severity: 10,
    })
  })

  test('a recovery closes the alert of the same task', async () => {
    expect(await body(configured(), fullEvent(), { kind: 'recovery' })).toMatchObject({
      'X-S4-ExternalID': TASK_ID,
      'X-S4-Status': 'resolved',
    })
  })

  test('names are sent as they are, with only the datagram known as well', async () => {
    expect(await body(configured(), nastyEvent())).toMatchObject({ Message: `Task: ${NASTY_NAME}` })
    expect(await body(configured(), taskEvent())).toMatchObject({ Message: 'Task: Financial Dashboard Reload' })
  })

  test('is asked for by both switches', () => {
    expect(signl4Rules(configured()).map(({ name, needs }) => [name, needs])).toEqual([
      ['butler.incidentTool.signl4.reloadTaskFailure', []],
      ['butler.incidentTool.signl4.reloadTaskAborted', []],
    ])
    expect(signl4Rules(configured({ enable: false }))).toHaveLength(1)
    expect(signl4Rules(configured({}, { enable: false }))).toEqual([])
  })

  test('one alert per task and window', () => {
    expect(signl4Rules(configured())[0]!.plan(fullEvent())).toEqual([
      {
        target: 'connect.signl4.com',
        lane: 'signl4:https://connect.signl4.com:443',
        limit: { key: `butler.incidentTool.signl4.reloadTaskFailure|${TASK_ID}`, windowMs: 15_000 },
      },
    ])
  })

  const FILTERS: readonly (readonly [object, boolean])[] = [
    [{ includeAll: true, appId: ['other'] }, true],
    [{ includeAll: false, appId: [] }, true],
    [{ includeAll: false, appId: [APP_ID] }, true],
    [{ includeAll: false, appId: ['other'] }, false],
  ]
  test.each(FILTERS)('includeApp %j', (includeApp, isSent) => {
    const [planned] = signl4Rules(configured({ includeApp }))[0]!.plan(fullEvent())
    expect(planned!.suppress?.reason).toBe(isSent ? undefined : 'APP_NOT_INCLUDED')
  })
})
