/** Mistakes inside the configuration file, and in files that it names. */
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { PlantedMistake, PlantPlace } from './types.ts'

type Row = readonly [name: string, plant: PlantedMistake['plant'], expected: PlantedMistake['expect']]

const REFUSED = 1
/** It starts without the feature. */
const OFF = 3
const WARNED = 0

const mail = (section: object, smtp: object = {}) => ({
  emailNotification: {
    enable: true,
    smtp: { host: 'mail.acme.example', port: 25, ...smtp },
    reloadTaskFailure: {
      enable: true,
      recipients: ['ops@acme.example'],
      fromAddress: 'qlik@acme.example',
      ...section,
    },
  },
})

const files = (section: object) => ({
  restServerConfig: { enable: true, serverHost: '127.0.0.1' },
  restServerEndpointsEnable: { fileCopy: true, fileDelete: true },
  ...section,
})

function schedule({ directory }: PlantPlace, changes: object): object {
  const entry = {
    id: '1',
    name: 'Nightly',
    cronSchedule: '0 6 * * *',
    timezone: 'Europe/Stockholm',
    qlikSenseTaskId: '5b2ce4c8-5a3f-4a5a-8a0a-1a1a1a1a1a1a',
    startupState: 'start',
    ...changes,
  }
  writeFileSync(join(directory, 'schedule.yaml'), JSON.stringify({ butlerSchedule: [entry] }, null, 2))
  return { scheduler: { enable: true, configfile: 'schedule.yaml' } }
}

function template({ directory }: PlantPlace, text: string): object {
  mkdirSync(join(directory, 'templates'))
  writeFileSync(join(directory, 'templates', 'failed.eta'), text)
  return mail({ bodyFileDirectory: 'templates', htmlTemplateFile: 'failed' })
}

const ROWS: readonly Row[] = [
  [
    'tab indentation',
    () => 'Butler:\n\tlogLevel: info\n',
    { code: REFUSED, message: /Tabs are not allowed/, fix: /indent with blanks/ },
  ],
  [
    'duplicate key',
    () => 'Butler:\n  logLevel: info\n  logLevel: debug\n',
    { code: REFUSED, message: /stands twice/, fix: /remove one of them/ },
  ],
  [
    'missing Butler: root',
    () => 'logLevel: info\n',
    { code: REFUSED, message: /no "Butler" section/, fix: /below the key Butler:/ },
  ],
  [
    'misspelt key',
    () => ({ hartbeat: { enable: true } }),
    { code: WARNED, message: /Butler\.hartbeat: unknown key/, fix: /did you mean heartbeat\?/ },
  ],
  [
    'boolean as text',
    () => 'Butler:\n  heartbeat:\n    enable: "false"\n',
    { code: WARNED, message: /heartbeat\.enable: "false" is read as false/, fix: /take the quotes away/ },
  ],
  [
    'boolean as a word of older YAML',
    () => 'Butler:\n  heartbeat:\n    enable: yes\n',
    { code: OFF, message: /heartbeat\.enable: must be true or false/, fix: /write true/ },
  ],
  [
    'port 99999',
    () => ({ udpServerConfig: { enable: true, portTaskFailure: 99_999 } }),
    { code: REFUSED, message: /portTaskFailure: .*found 99999/, fix: /between 1 and 65535/ },
  ],
  [
    'host with a scheme',
    () => ({ mqttConfig: { enable: true, brokerHost: 'mqtt://broker.acme.example:1883' } }),
    { code: OFF, message: /brokerHost: must be a host name/, fix: /write broker\.acme\.example/ },
  ],
  [
    'template missing',
    () => mail({ bodyFileDirectory: 'templates', htmlTemplateFile: 'failed' }),
    { code: WARNED, message: /no template "failed" in "templates"/, fix: /put the file there/ },
  ],
  [
    'template directory missing',
    () => ({ footman: { templateDirectory: 'my-templates' } }),
    { code: WARNED, message: /"my-templates" does not exist/, fix: /make it, or correct the path/ },
  ],
  [
    'template with a syntax error',
    (place) => template(place, '<p><% if (%></p>'),
    { code: OFF, message: /failed\.eta:1:\d+: /, fix: /plain text until this is repaired/ },
  ],
  [
    'invalid mail address',
    () => mail({ recipients: ['ops@acme.example', 'no-address'] }),
    { code: OFF, message: /recipients\[1\]: "no-address" is not a valid e-mail address/, fix: /ops@example\.com/ },
  ],
  [
    'secure: true on port 587',
    () => mail({}, { port: 587, secure: true }),
    { code: WARNED, message: /smtp\.secure: is true, .* port 587/, fix: /set it to false/ },
  ],
  [
    'taskStartTopic outside the root topic',
    () => ({
      mqttConfig: {
        enable: true,
        brokerHost: 'broker.acme.example',
        subscriptionRootTopic: 'qliksense/#',
        taskStartTopic: 'butler/start_task',
      },
    }),
    { code: WARNED, message: /taskStartTopic: "butler\/start_task" is outside/, fix: /widen subscriptionRootTopic/ },
  ],
  [
    'approved directory missing',
    () => files({ fileDeleteApprovedDirectories: ['/no/such/folder'] }),
    { code: WARNED, message: /"\/no\/such\/folder" does not exist/, fix: /make it, or correct the path/ },
  ],
  [
    'approved directory relative',
    () => files({ fileCopyApprovedDirectories: [{ fromDirectory: '/tmp', toDirectory: 'qvd' }] }),
    { code: WARNED, message: /toDirectory: "qvd" is a relative path/, fix: /write the whole path/ },
  ],
  [
    'schedule with a bad cron',
    (place) => schedule(place, { cronSchedule: '99 * * * *' }),
    { code: OFF, message: /cronSchedule: .*minute 99/, fix: /like 30 6/ },
  ],
  [
    'schedule with an unknown zone',
    (place) => schedule(place, { timezone: 'Europe/Nowhere' }),
    { code: OFF, message: /timezone: .*Europe\/Nowhere/, fix: /Europe\/\w+/ },
  ],
  [
    'logLevel: INFO',
    () => ({ logLevel: 'INFO' }),
    { code: WARNED, message: /logLevel: "INFO" is read as "info"/, fix: /write info/ },
  ],
  [
    'New Relic account name unknown',
    () => ({
      incidentTool: {
        newRelic: {
          enable: true,
          reloadTaskFailure: {
            destination: {
              event: { enable: true, sendToAccount: { always: { enable: true, account: ['Production'] } } },
            },
          },
        },
      },
    }),
    {
      code: OFF,
      message: /no New Relic account is called "Production"/,
      fix: /thirdPartyToolsCredentials\.newRelic/,
    },
  ],
  [
    'start filter on but empty',
    () => ({ startTaskFilter: { enable: true } }),
    { code: WARNED, message: /allowTask: is empty, so no task at all/, fix: /name tasks in taskId/ },
  ],
  [
    'Windows path with backslashes in double quotes',
    () => 'Butler:\n  logDirectory: "D:\\Logs\\Qlik"\n',
    { code: REFUSED, message: /escape sequence/, fix: /single quotes/ },
  ],
  [
    'Windows path whose backslashes became tab and line end',
    () => 'Butler:\n  logDirectory: "D:\\temp\\new"\n',
    { code: WARNED, message: /logDirectory: "D:.*" is not the path that it seems/, fix: /single quotes/ },
  ],
]

/** All of them are found by `footman check`. */
export const CONFIG_MISTAKES: readonly PlantedMistake[] = ROWS.map(([name, plant, expected]) => ({
  name,
  plant,
  expect: expected,
  command: 'check',
  args: ['--no-qs-connection'],
}))
