/** The configuration that `footman init` writes, over all combinations of answers. */

import { describe, expect, test } from 'bun:test'
import { resolve } from 'node:path'
import fc from 'fast-check'
import { parse } from 'yaml'
import { runCheck } from '../../../../src/cli/check.ts'
import type { InitAnswers } from '../../../../src/cli/init/answers.ts'
import {
  answerProblems,
  configOf,
  configurationText,
  placeholder,
  yaml,
} from '../../../../src/cli/init/configuration.ts'
import { withFolder } from '../../../support/config.ts'

const ANSWERS: InitAnswers = {
  qsHost: 'qs1.acme.example',
  qsPort: 4242,
  footmanHost: '10.1.2.3',
  udpPort: 9998,
  restHost: 'localhost',
  restPort: 8080,
  tags: [],
  keyValues: false,
  mailTo: [],
  mailFrom: '',
  smtpHost: '',
  smtpPort: 25,
  smtpTls: 'starttls',
  smtpUser: '',
  smtpPassword: 'env:SMTP_PASSWORD',
  mailAborted: false,
  mailOwner: false,
  mailMarked: false,
  slackUrl: '',
  teamsUrl: '',
  webhookUrl: '',
  mqttHost: '',
  mqttPort: 1883,
  certificates: 'certificate',
  logDirectory: '/var/log/footman',
}
const MAIL = {
  mailTo: ['ops@acme.example', 'bi@acme.example'],
  mailFrom: 'Qlik <q@acme.example>',
  smtpHost: 'smtp.acme.example',
}

/** Every value of every choice, each with and without the others that it hangs together with. */
const CHOICES: readonly (readonly Partial<InitAnswers>[])[] = [
  [{}, MAIL, { ...MAIL, smtpUser: 'ACME\\svc' }, { ...MAIL, smtpUser: "o'neil: #1", smtpTls: 'tls', smtpPort: 465 }],
  [{}, { smtpTls: 'optional' }],
  [{}, { mailAborted: true }],
  [{}, { mailOwner: true }],
  [{}, { mailMarked: true }],
  [{}, { slackUrl: 'https://hooks.slack.example/services/T0/B0/x' }, { slackUrl: 'env:SLACK_URL' }],
  [{}, { teamsUrl: 'https://teams.example/workflows/1?sig=a%2Fb&x=#y' }],
  [{}, { webhookUrl: 'https://tickets.acme.example/a b?x=#1' }, { webhookUrl: 'env:SLACK_URL' }],
  [{}, { tags: ['start me', 'yes', '12', '#1', "it's", '[a]', '\\n'], keyValues: true }],
  [{}, { mqttHost: 'mqtt.acme.example', qsPort: 4243 }],
  [{}, { restHost: '0.0.0.0', logDirectory: 'C:\\Program Files\\Footman\\new logs', certificates: '\\\\fs\\certs' }],
]

/** All of those about mails, with the least and the most of everything else. */
function* combinations(rest = CHOICES.slice(0, 5)): Generator<InitAnswers> {
  const [first, ...others] = rest
  if (!first) {
    yield ANSWERS
    yield Object.assign({}, ANSWERS, ...CHOICES.slice(5).map((choices) => choices.at(-1)))
    return
  }
  for (const choice of first) for (const answers of combinations(others)) yield { ...answers, ...choice }
}

test('the combinations are accepted and say what was answered', () => {
  let count = 0
  for (const answers of combinations()) {
    count++
    const config = configOf(answers)
    if (!config || answerProblems(answers).length > 0) throw new Error(JSON.stringify(answers))
    const { emailNotification: mail, startTaskFilter, configQRS, udpServerConfig, logDirectory } = config
    const found = {
      hosts: [configQRS.host, config.restServerConfig.serverHost, config.mqttConfig.brokerHost],
      ports: [configQRS.port, udpServerConfig.portTaskFailure, config.restServerConfig.serverPort],
      on: [mail.enable, config.mqttConfig.enable, startTaskFilter.enable, config.slackNotification.enable],
      tags: startTaskFilter.allowTask.tag,
      logDirectory,
      recipients: mail.reloadTaskFailure.recipients,
      user: mail.smtp.auth.user,
    }
    expect(found).toEqual({
      hosts: [answers.qsHost, answers.restHost, answers.mqttHost],
      ports: [answers.qsPort, answers.udpPort, answers.restPort],
      on: [answers.mailTo.length > 0, answers.mqttHost !== '', answers.tags.length > 0, answers.slackUrl !== ''],
      tags: [...answers.tags],
      logDirectory: answers.logDirectory,
      recipients: [...answers.mailTo],
      user: answers.mailTo.length > 0 ? answers.smtpUser : '',
    })
    if (!mail.enable) continue
    expect(mail.reloadTaskFailure).toMatchObject({
      alertEnableByCustomProperty: { enable: answers.mailMarked },
      appOwnerAlert: { enable: answers.mailOwner },
    })
    expect(mail.reloadTaskAborted).toMatchObject(
      answers.mailAborted
        ? { enable: true, alertEnableByCustomProperty: { enable: answers.mailMarked } }
        : { enable: false },
    )
  }
  expect(count).toBe(4 * 2 * 2 * 2 * 2 * 2)
}, 90_000)

/** Pairs of choices: every value of one beside every value of another, in few files. */
function pairs(): InitAnswers[] {
  const rows = CHOICES.flatMap((choices, index) =>
    choices.flatMap((choice) =>
      CHOICES.slice(index + 1).flatMap((others) =>
        others.map((other) => ({ ...ANSWERS, ...MAIL, ...other, ...choice })),
      ),
    ),
  )
  return [...new Map(rows.map((row) => [JSON.stringify(row), row])).values()]
}

test('footman check finds nothing wrong with any of them', async () => {
  const env = { SMTP_PASSWORD: 'secret', SLACK_URL: 'https://hooks.slack.example/x' }
  const files = Object.fromEntries(pairs().map((answers, index) => [`${index}.yaml`, configurationText(answers)]))
  expect(Object.keys(files).length).toBeGreaterThan(50)
  await withFolder(files, async (cwd) => {
    for (const configfile of Object.keys(files)) {
      const lines: string[] = []
      const io = { out: (text: string) => lines.push(text), err: (text: string) => lines.push(text) }
      const code = await runCheck({ configfile, qsConnection: false }, io, {
        env,
        cwd,
        execPath: resolve(cwd, 'footman'),
      })
      expect({ lines, code }).toEqual({ lines: [`${resolve(cwd, configfile)}: valid, 0 errors, 0 warnings`], code: 0 })
    }
  })
}, 90_000)

describe('texts', () => {
  test('any line is read back as it was written', () => {
    const line = fc.string({
      unit: fc.oneof(fc.constantFrom(...`'"\\:#{}[]&*!|>%@\`, -?~=`), fc.string({ minLength: 1, maxLength: 1 })),
    })
    fc.assert(
      fc.property(line, (text) => {
        expect(parse(`a:\n  b: ${yaml(text)} # comment\n  c:\n    - ${yaml(text)}`)).toEqual({
          a: { b: text, c: [text] },
        })
      }),
    )
  })
  test.each(['yes', 'No', 'null', 'true', '~', '12', '1e3', '0x1F', '2026-01-01', '', '- a', 'a: b', 'a #b', '*a'])(
    '%p stays a text',
    (text) => {
      expect(parse(yaml(text))).toBe(text)
    },
  )
  test('places of secrets become placeholders', () => {
    expect(['env:A', 'file:/a b', 'credential:x', 'https://h/x', 'env:'].map(placeholder)).toEqual([
      `\${env:A}`,
      `\${file:/a b}`,
      `\${credential:x}`,
      'https://h/x',
      'env:',
    ])
  })
})

describe('wrong answers are told with their option', () => {
  const cases: [wrong: Partial<InitAnswers>, key: string, text: RegExp][] = [
    [{ qsHost: '' }, 'qsHost', /is needed/],
    [{ qsHost: 'https://qs1' }, 'qsHost', /without scheme/],
    [{ qsHost: 'a b' }, 'qsHost', /host name/],
    [{ qsHost: 'a\nb: c' }, 'qsHost', /one line/],
    [{ footmanHost: '' }, 'footmanHost', /is needed/],
    [{ footmanHost: '10.1.2.3:9998' }, 'footmanHost', /host or an address/],
    [{ udpPort: 70_000 }, 'udpPort', /65535/],
    [{ restPort: Number.NaN }, 'restPort', /./],
    [{ restHost: 'http://x' }, 'restHost', /without scheme/],
    [{ mailTo: ['ops'], mailFrom: 'a@b.example', smtpHost: 's' }, 'mailTo', /"ops" is not a mail address/],
    [{ mailTo: ['a@b.example'], mailFrom: 'me', smtpHost: 's' }, 'mailFrom', /holds no mail address/],
    [{ mailTo: ['a@b.example'], mailFrom: 'a@b.example' }, 'smtpHost', /is needed/],
    [{ ...MAIL, smtpUser: 'u', smtpPassword: 'hunter2' }, 'smtpPassword', /not the password itself/],
    [{ slackUrl: 'hooks.slack.com' }, 'slackUrl', /./],
    [{ teamsUrl: 'C:\\x' }, 'teamsUrl', /./],
    [{ webhookUrl: 'tickets.acme.example' }, 'webhookUrl', /must be an https address/],
    [{ webhookUrl: 'https://' }, 'webhookUrl', /./],
    [{ mqttHost: 'mqtt://h' }, 'mqttHost', /without scheme/],
    [{ tags: ['a\u2028b'] }, 'tags', /one line/],
  ]
  test.each(cases)('%p', (wrong, key, text) => {
    const problems = answerProblems({ ...ANSWERS, ...wrong })
    expect(problems.map((problem) => problem.key)).toEqual([key as never])
    expect(problems[0]?.message).toMatch(text)
    expect(JSON.stringify(problems)).not.toContain('hunter2')
  })
})
