/** Every section of Butler that sends alerts, switched on. */
export function alertSections(url: string): Readonly<Record<string, unknown>> {
  const chat = (path: string) => ({ enable: true, webhookURL: `${url}${path}`, rateLimit: 0 })
  const basic = { messageType: 'basic' }
  const lines = { headScriptLogLines: 0, tailScriptLogLines: 3 }
  const hook = (httpMethod: string) => ({
    rateLimit: 0,
    webhooks: [
      { description: 'Tickets', webhookURL: `${url}/hook${httpMethod === 'GET' ? '?token=1' : ''}`, httpMethod },
    ],
  })
  const signl4 = (severity: number) => ({ enable: true, rateLimit: 0, serviceName: 'Qlik Sense', severity })
  const account = (outcome: string, kind: string) => ({
    always: { enable: true, account: ['Always'] },
    byCustomProperty: { enable: true, customPropertyName: `Butler_${outcome}Task_${kind}_NewRelicAccount` },
  })
  const newRelic = (outcome: string, log: boolean) => ({
    destination: {
      event: {
        enable: true,
        sendToAccount: account(outcome, 'Event'),
        attribute: { static: [{ name: 'environment', value: 'prod' }] },
      },
      log: {
        enable: log,
        sendToAccount: account(outcome, 'Log'),
        tailScriptLogLines: 2,
        attribute: {
          static: [{ name: 'environment', value: 'test' }],
          dynamic: { useAppTags: false, useTaskTags: false },
        },
      },
    },
    sharedSettings: { rateLimit: 0, attribute: { static: [{ name: 'service', value: 'butler' }] } },
  })
  const mail = {
    enable: true,
    rateLimit: 0,
    priority: 'high',
    fromAddress: 'Qlik Sense <noreply@acme.example>',
    recipients: ['ops@acme.example'],
  }
  return {
    qlikSenseUrls: { qmc: 'https://qs.acme.example/qmc', hub: 'https://qs.acme.example/hub' },
    genericUrls: [{ id: 'runbook', linkText: 'Runbook', comment: '', url: 'https://wiki.acme.example/qlik/reloads' }],
    slackNotification: {
      enable: true,
      reloadTaskFailure: { ...chat('/slack'), ...lines },
      reloadTaskAborted: { ...chat('/slack'), ...basic },
    },
    teamsNotification: {
      enable: true,
      reloadTaskFailure: { ...chat('/teams'), ...lines },
      reloadTaskAborted: { ...chat('/teams'), ...basic },
    },
    webhookNotification: { enable: true, reloadTaskFailure: hook('POST'), reloadTaskAborted: hook('GET') },
    thirdPartyToolsCredentials: {
      newRelic: [
        { accountName: 'Always', insertApiKey: 'secret-key-1', accountId: 111 },
        { accountName: 'First NR account', insertApiKey: 'secret-key-2', accountId: 222 },
      ],
    },
    incidentTool: {
      signl4: { enable: true, url: `${url}/signl4`, reloadTaskFailure: signl4(1), reloadTaskAborted: signl4(10) },
      newRelic: {
        enable: true,
        url: { event: `${url}/nr/`, log: `${url}/nr/log` },
        reloadTaskFailure: newRelic('Failed', true),
        reloadTaskAborted: newRelic('Aborted', false),
      },
    },
    scriptLog: { storeOnDisk: { clientManaged: { reloadTaskFailure: { enable: true, logDirectory: 'logs' } } } },
    emailNotification: {
      distributeTaskSuccess: mail,
      distributeTaskFailure: mail,
      preloadTaskSuccess: mail,
      preloadTaskFailure: mail,
    },
    mqttConfig: { taskFailureSendFull: true, taskAbortedSendFull: true },
    footman: { timezone: 'Europe/Stockholm', distribute: { pollInterval: '1s' } },
  }
}
