/** Acme's custom property definitions: name, values, object types. */

const TASKS_AND_APPS = ['ReloadTask', 'ExternalProgramTask', 'App'] as const
const TASKS = ['ReloadTask'] as const
const TASKS_AND_USERS = ['ReloadTask', 'App', 'User'] as const
const ADDRESSES = ['ops@acme.example', 'bi-team@acme.example'] as const
const ACCOUNTS = ['First NR account', 'Unknown NR account'] as const

const ALERTS = [
  'Failed',
  'Aborted',
  'Success',
  'DistributeFailed',
  'DistributeSuccess',
  'PreloadFailed',
  'PreloadSuccess',
]
const NEW_RELIC = ['FailedTask_Event', 'FailedTask_Log', 'AbortedTask_Event', 'AbortedTask_Log']

export const PROPERTIES: readonly (readonly [string, readonly string[], readonly string[]])[] = [
  ['taskGroup', ['financial-reports', 'operational-dashboards', 'regulatory-compliance'], TASKS_AND_APPS],
  ['priority', ['high', 'low'], TASKS],
  ['department', ['finance', 'hr', 'it'], TASKS_AND_USERS],
  ['source', ['erp-system', 'crm'], TASKS],
  ['costCenter', ['finance', 'hr'], TASKS],
  ['Butler_SuccessReloadTask_InfluxDB', ['Yes', 'No'], TASKS],
  ...ALERTS.flatMap((kind) => [
    [`Butler_${kind}AlertEnableEmail`, ['Yes'], TASKS] as const,
    [`Butler_${kind}AlertSendToEmail`, ADDRESSES, TASKS] as const,
  ]),
  ...NEW_RELIC.map((kind) => [`Butler_${kind}_NewRelicAccount`, ACCOUNTS, TASKS] as const),
]

/** In the order of their ids: `60000000-...-0001` is financial-reports. */
export const TAGS: readonly string[] = [
  'financial-reports',
  'daily-refresh',
  'Butler 5.0 demo',
  'startTask1',
  'hourly-reload',
  'urgent',
  'data-refresh',
  'daily-reports',
  'Urgent',
  'license-keep',
]
