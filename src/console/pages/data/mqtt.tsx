/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** MQTT messages that the broker has sent. */
import { MQTT_MESSAGES } from '../../../mqtt/contract.ts'
import type { Page } from '../../page.ts'
import { Filters } from '../../ui/forms.tsx'
import { Badge } from '../../ui/marks.tsx'
import { Empty, Pager, Table } from '../../ui/panel.tsx'
import { Name, Time } from '../../ui/text.tsx'
import { SystemHead } from '../system/places.tsx'
import { formatted, OffOr } from './keyvalues.tsx'

const SWITCH_ON = `Butler:
  mqttConfig:
    enable: true
  restServerEndpointsEnable:
    mqttPublishMessage: true
  footman:
    mqtt:
      receivedTopics: ["plant/#"]`

export const mqttMessages: Page = {
  path: '/system/mqtt',
  place: 'system',
  scope: 'message:read',
  async render(context) {
    const { query } = context
    const answer = await context.ask(MQTT_MESSAGES, {
      query: { limit: 50, topic: query.get('topic'), from: query.get('from'), cursor: query.get('cursor') },
    })
    return {
      title: 'MQTT messages',
      body: (
        <>
          <SystemHead context={context} title="MQTT messages" />
          <Filters
            context={context}
            {...(answer.ok && { api: '/v4/mqttmessages' })}
            fields={[
              { name: 'topic', label: 'Topic filter', kind: 'text', placeholder: 'plant/+/state' },
              {
                name: 'from',
                label: 'Since',
                kind: 'choice',
                options: ['1h', '12h', '24h', '7d'].map((value) => [value, value] as const),
              },
            ]}
          />
          {!answer.ok && <OffOr failure={answer} what="MQTT messages" yaml={SWITCH_ON} retry={context.here({})} />}
          {answer.ok && answer.data.messages.length === 0 && (
            <Empty title={query.get('topic') ? 'Nothing matches' : 'No messages'} yaml={SWITCH_ON} icon="planned">
              Messages on the topics of <code>receivedTopics</code> are kept here.
            </Empty>
          )}
          {answer.ok && answer.data.messages.length > 0 && (
            <section class="panel">
              <Table
                context={context}
                caption="Messages, the newest first"
                rows={answer.data.messages}
                keyOf={({ id }) => id}
                columns={[
                  { head: 'Topic', sort: (row) => row.topic, cell: ({ topic }) => <Name text={topic} /> },
                  { head: 'Received', sort: (row) => row.at, cell: ({ at }) => <Time at={at} zone={context} /> },
                  {
                    head: 'Payload',
                    cell: ({ payload, payloadBase64 }) => (
                      <pre class="pre" tabindex={0}>
                        {payload === null ? `base64 ${payloadBase64}` : formatted(payload)}
                      </pre>
                    ),
                  },
                  {
                    head: 'Marks',
                    cell: ({ qos, retained, truncated }) => (
                      <>
                        <Badge text={`QoS ${qos}`} /> {retained && <Badge text="retained" />}{' '}
                        {truncated && <Badge text="cut" tone="warn" />}
                      </>
                    ),
                  },
                ]}
              />
              <Pager context={context} nextCursor={answer.data.nextCursor} />
            </section>
          )}
        </>
      ),
    }
  },
}
