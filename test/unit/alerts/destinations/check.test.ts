/** What `footman check` says about named destinations: keys by the schema, the rest by rendering a sample. */
import { expect, test } from 'bun:test'
import { destinationProblems } from '../../../../src/alerts/destinations/check.ts'
import { templateEngine } from '../../../support/alerts.ts'
import { configOf, linesOf, loadButler } from '../../../support/config.ts'

const destinations = (text: string) => `footman:\n  destinations:\n${text.replace(/^/gm, '    ')}`

test.each([
  ['email: {type: ntfy, topic: x}', 'email: is the name of what the sections of Butler send to'],
  ['a: {type: pagerduty, routingKey: short}', 'a.routingKey: must be the integration key of 32 characters'],
  ['a: {type: mqtt, topic: "a/#"}', 'a.topic: must not hold the wildcards + and #'],
  ['a: {type: webhook, url: "ftp://x"}', 'a.url: must be an address that starts with http:// or https://'],
  ['a: {type: webhook, url: "https://x/", headers: {"a b": c}}', 'a.headers.a b: must be the name of an HTTP header'],
  ['a: {type: webhook, url: "https://x/", headers: {ab: "c\\r\\nd"}}', 'a.headers.ab: must be one line of plain text'],
  ['a: {type: webhook, url: "https://x/", method: GET}', 'a.method: must be POST, PUT or PATCH, found "GET"'],
  ['a: {type: webhook, url: "https://x/", signingSecret: abc}', 'a.signingSecret: must be whsec_ followed by base64'],
  ['a: {type: webhook, url: "https://x/", body: a, template: b.eta}', 'a.template: is not used beside body'],
  ['a: {type: email}', 'a: has no recipients: set recipients, appOwner or recipientProperty'],
  ['a: {type: opsgenie, apiKey: k, responders: [{type: team}]}', 'a.responders: need a name or an id each'],
  ['a: {type: ntfy, topic: x, server: ""}', 'a.server: must be an address'],
  ['a: {type: telegram, botToken: "1:a"}', 'a.chatId: must be a number or a text'],
  ['a: {type: newrelic, account: []}', 'a.account: '],
  ['a: {type: nosuch}', 'a.type: must be email, slack, teams,'],
  ['a: {type: ntfy, topic: x, timeout: 10}', 'a.timeout: '],
  ['Big: {type: ntfy, topic: x}', 'Big: must be a name of lower-case letters'],
])('%s is an error with its line', async (written, message) => {
  const [line] = await linesOf(destinations(written))
  expect(line).toMatch(/^4:\d+ error /)
  expect(line).toContain(`Butler.footman.destinations.${message}`)
})

test('a misspelt key is a warning that names the right one', async () => {
  expect(await linesOf(destinations('a: {type: ntfy, topic: x, servr: y}'))).toEqual([
    '4:33 warning Butler.footman.destinations.a.servr: unknown key, ignored. Hint: did you mean server?',
  ])
})

async function problemsOf(text: string) {
  const config = await configOf(loadButler(text))
  const found = await destinationProblems(templateEngine(), config)
  return found.map(({ path, message }) => `${path.replace('Butler.footman.destinations.', '')}: ${message}`)
}

test('templates are tried, addresses and what a destination relies on looked at', async () => {
  const written = [
    'topic: {type: mqtt, topic: "a/{{#if x}}"}',
    'json: {type: webhook, url: "https://x/", body: "{\\"a\\": {{taskName}} }"}',
    'gone: {type: webhook, url: "https://x/", template: none.eta}',
    'mail: {type: email, recipients: [anna, "x@y.zz"], from: nobody}',
    'relic: {type: newrelic, account: [nope]}',
    'off: {type: newrelic, account: [nope], enable: false}',
  ].join('\n')
  expect(await problemsOf(destinations(written))).toEqual([
    'topic.type: needs a broker: Butler.mqttConfig.enable is false',
    'topic.topic: topic of destination topic:1:12: a block is not closed',
    'json.body: body of destination json (rendered):1:7: the rendered text is not valid JSON',
    'gone.template: there is no template none.eta (it must end in .eta, .handlebars or .hbs)',
    'mail.recipients: "anna" is not a valid e-mail address',
    'mail.from: "nobody" holds no e-mail address',
    'mail.type: needs a mail server: set Butler.emailNotification.smtp',
    'relic.account: "nope" is not in Butler.thirdPartyToolsCredentials.newRelic',
  ])
})

test('good settings have no problems', async () => {
  const written = [
    'hook: {type: webhook, url: "https://x/", body: "{\\"task\\": \\"{{taskName}}\\", \\"text\\": \\"{{text}}\\"}"}',
    'phone: {type: ntfy, topic: acme}',
    'chat: {type: telegram, botToken: "1:a", chatId: -100123}',
    'room: {type: discord, webhookURL: "https://discord.com/api/webhooks/1/x", mentionRoles: ["1"]}',
  ].join('\n')
  expect(await problemsOf(destinations(written))).toEqual([])
  expect(await linesOf(destinations(written))).toEqual([])
})
