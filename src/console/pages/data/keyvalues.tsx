/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Key-value pairs: the namespaces that the visitor may see, and the pairs of one. */

import { namespaceFilter } from '../../../http/endpoint/caller.ts'
import {
  KEYS,
  NAMESPACES,
  PAIR,
  type PairWithMeta,
  pairsOfList,
  type SizeOfNamespace,
  type ValueOfKey,
} from '../../../kv/contract.ts'
import { parseOutsideJson } from '../../../platform/json.ts'
import { asMissing, type Failure } from '../../ask.ts'
import type { Page, PageContext } from '../../page.ts'
import { FEATURES_PATH } from '../../setting-kinds.ts'
import { ActionLink, Filters } from '../../ui/forms.tsx'
import { Empty, ErrorBox, Facts, Head, Pager, Panel, part, SwitchedOff, Table } from '../../ui/panel.tsx'
import { bytesText, Left, Name, numberText, plainName, Time } from '../../ui/text.tsx'
import { SystemHead } from '../system/places.tsx'

const PAIRS = 50
/** Characters of a value that a list shows. */
const SHORT = 2048
const SECRET = /pass|secret|token|key$/i

const SWITCH_ON = `Butler:
  restServerEndpointsEnable:
    keyValueStore: true`

const pageOf = (namespace: string): string => `/system/keyvalues/${encodeURIComponent(namespace)}`
const system = (context: PageContext) => ({ href: context.link('/system'), text: 'System' })

/** In place of a list whose endpoint is switched off, the lines that switch it on. */
export const OffOr = (props: {
  readonly failure: Failure
  readonly what: string
  readonly yaml: string
  readonly features?: string
  readonly retry: string
}) =>
  props.failure.status === 404 ? (
    <SwitchedOff title={`${props.what} are switched off`} yaml={props.yaml} features={props.features} />
  ) : (
    <ErrorBox failure={props.failure} retry={props.retry} />
  )

export const keyValues: Page = {
  path: '/system/keyvalues',
  place: 'system',
  scope: 'kv:read',
  async render(context) {
    const answer = await context.ask(NAMESPACES, { query: { counts: true } })
    return {
      title: 'Key-values',
      live: ['keyValue'],
      scripts: ['pairs.js'],
      body: (
        <>
          <SystemHead context={context} title="Key-values">
            {answer.ok && (
              <>
                <NewPair context={context} namespace="" />
                <ActionLink context={context} operation="kv.import" scope="kv:write" values={{}} class="">
                  Import…
                </ActionLink>
                <a class="btn" href={`${context.root}/api/v4/keyvaluesexport`} download="key-values.json">
                  Export
                </a>
              </>
            )}
          </SystemHead>
          {answer.ok ? (
            <Namespaces
              context={context}
              namespaces={answer.data.flatMap((one) => (typeof one === 'string' ? [] : [one]))}
            />
          ) : (
            <OffOr
              failure={answer}
              what="Key-values"
              yaml={SWITCH_ON}
              features={context.link(FEATURES_PATH)}
              retry={context.here({})}
            />
          )}
        </>
      ),
    }
  },
}

const Namespaces = ({ context, namespaces }: { context: PageContext; namespaces: readonly SizeOfNamespace[] }) => {
  if (namespaces.length === 0) {
    return (
      <Empty title="No namespaces" icon="planned">
        Load scripts keep values here between reloads, such as the time of the last extract. A namespace is made with
        its first pair.
      </Empty>
    )
  }
  return (
    <section class="panel">
      <Table
        context={context}
        caption="Namespaces"
        rows={namespaces}
        keyOf={({ namespace }) => namespace}
        columns={[
          {
            head: 'Namespace',
            sort: (row) => row.namespace,
            cell: ({ namespace }) => (
              <a href={context.link(pageOf(namespace))}>
                <Name text={namespace} />
              </a>
            ),
          },
          { head: 'Keys', num: true, sort: (row) => row.keys, cell: ({ keys }) => numberText(keys) },
          { head: 'Size', num: true, sort: (row) => row.bytes, cell: ({ bytes }) => bytesText(bytes) },
          {
            head: 'Last change',
            sort: (row) => row.changedAt,
            cell: ({ changedAt }) => <Time at={changedAt} zone={context} />,
          },
        ]}
      />
    </section>
  )
}

interface WriteProps {
  readonly context: PageContext
  readonly namespace: string
}

/** Why the visitor may not write there, beyond the scope. */
const writeOff = ({ context: { visitor, may }, namespace }: WriteProps): string | null =>
  may('kv:write') && namespace !== '' && !namespaceFilter(visitor.caller, 'kv:write')(namespace)
    ? 'Your scope kv:write does not include this namespace'
    : null

const NewPair = ({ context, namespace }: WriteProps) => (
  <ActionLink
    context={context}
    operation="kv.set"
    scope="kv:write"
    values={{ namespace, revision: 0 }}
    off={writeOff({ context, namespace })}
    class="primary"
  >
    New
  </ActionLink>
)

export const keyValueNamespace: Page = {
  path: '/system/keyvalues/:namespace',
  place: 'system',
  scope: 'kv:read',
  async render(context) {
    const { namespace = '' } = context.params
    const { query } = context
    const key = query.get('key')
    const path = encodeURIComponent(namespace)
    const [pairs, pair] = await Promise.all([
      context.ask(KEYS, {
        params: { namespace },
        query: { values: true, limit: PAIRS, prefix: query.get('prefix'), cursor: query.get('cursor') },
      }),
      key === null ? null : context.ask(PAIR, { params: { namespace }, query: { key, meta: true } }),
    ])
    const off = writeOff({ context, namespace })
    return {
      title: plainName(namespace),
      live: ['keyValue'],
      scripts: ['pairs.js'],
      status: pairs.ok ? 200 : pairs.status === 400 ? 404 : pairs.status,
      body: (
        <>
          <Head
            title={<Name text={namespace} />}
            crumbs={[system(context), { href: context.link('/system/keyvalues'), text: 'Key-values' }]}
          >
            {pairs.ok && (
              <>
                <NewPair context={context} namespace={namespace} />
                <a
                  class="btn"
                  href={`${context.root}/api/v4/keyvaluesexport?namespace=${path}`}
                  download={`${namespace.replace(/[^\w-]/g, '_')}.json`}
                >
                  Export
                </a>
                <ActionLink
                  context={context}
                  operation="kv.deleteNamespace"
                  scope="kv:write"
                  values={{ namespace }}
                  off={off}
                  then={context.link('/system/keyvalues')}
                  class=""
                >
                  Delete…
                </ActionLink>
              </>
            )}
          </Head>
          {context.may('admin') && (
            <p class="sub">
              <a href={context.link('/system/audit', { action: 'kv.*' })}>Changes in the audit</a>
            </p>
          )}
          {pair && (
            <div data-part="pair">
              <Panel id="pair" title={<Name text={key} />}>
                {part(pair, (one) => 'revision' in one && <OnePair context={context} pair={one} />)}
              </Panel>
            </div>
          )}
          {pairs.ok ? (
            <>
              <Filters
                context={context}
                api={`/v4/keylist/${path}`}
                fields={[{ name: 'prefix', label: 'Key begins with', kind: 'text' }]}
              />
              {pairs.data.keys.length === 0 ? (
                <Empty title={query.get('prefix') ? 'Nothing matches' : 'No pairs'} icon="planned" />
              ) : (
                <section class="panel">
                  <Pairs context={context} namespace={namespace} pairs={pairsOfList(pairs.data)} off={off} />
                  <Pager context={context} nextCursor={pairs.data.nextCursor ?? null} />
                </section>
              )}
            </>
          ) : pairs.status === 400 ? (
            <ErrorBox failure={asMissing(pairs, 'namespace')} />
          ) : (
            <OffOr
              failure={pairs}
              what="Key-values"
              yaml={SWITCH_ON}
              features={context.link(FEATURES_PATH)}
              retry={context.here({})}
            />
          )}
        </>
      ),
    }
  },
}

const OnePair = ({ context, pair }: { readonly context: PageContext; readonly pair: PairWithMeta }) => (
  <div class="body stack">
    <Value name={pair.key} value={pair.value} whole />
    <Facts
      facts={[
        ['Revision', String(pair.revision)],
        ['Changed', <Time at={pair.updatedAt} zone={context} />],
        ['Expires', pair.ttl === 0 ? 'never' : <Left ms={pair.ttl} zone={context} />],
      ]}
    />
  </div>
)

interface PairsProps {
  readonly context: PageContext
  readonly namespace: string
  readonly pairs: readonly ValueOfKey[]
  readonly off: string | null
}

const Pairs = ({ context, namespace, pairs, off }: PairsProps) => (
  <Table
    context={context}
    caption="Pairs by key"
    rows={pairs}
    keyOf={({ key }) => key}
    columns={[
      {
        head: 'Key',
        sort: (row) => row.key,
        cell: ({ key }) => (
          <a href={context.link(pageOf(namespace), { key })}>
            <Name text={key} />
          </a>
        ),
      },
      {
        head: 'Value',
        cell: ({ key, value }) => (
          <>
            <Value name={key} value={value} />
            {value.length > SHORT && <a href={context.link(pageOf(namespace), { key })}>Show all</a>}
          </>
        ),
      },
      {
        head: 'Expires',
        sort: (row) => row.ttl || null,
        cell: ({ ttl }) => (ttl === 0 ? 'never' : <Left ms={ttl} zone={context} />),
      },
      { head: 'Revision', num: true, sort: (row) => row.revision, cell: ({ revision }) => numberText(revision) },
      {
        head: '',
        cell: ({ key, revision }) => (
          <span class="tools">
            <ActionLink
              context={context}
              operation="kv.set"
              scope="kv:write"
              values={{ namespace, key, revision }}
              off={off}
            >
              Edit
            </ActionLink>
            <ActionLink
              context={context}
              operation="kv.delete"
              scope="kv:write"
              values={{ namespace, key, revision }}
              off={off}
            >
              Delete
            </ActionLink>
          </span>
        ),
      },
    ]}
  />
)

/** JSON is set out; a value whose key looks like that of a secret is covered until it is asked for. */
const Value = ({ name, value, whole = false }: { name: string; value: string; whole?: boolean }) => {
  const shown = formatted(whole ? value : value.slice(0, SHORT))
  const text = (
    <pre class="pre" tabindex={0}>
      {shown}
      {!whole && value.length > SHORT && '…'}
    </pre>
  )
  if (!SECRET.test(name)) return text
  return (
    <details>
      <summary>covered – show</summary>
      {text}
    </details>
  )
}

export function formatted(value: string): string {
  if (!/^\s*[[{]/.test(value)) return value
  try {
    return JSON.stringify(parseOutsideJson(value), null, 2)
  } catch {
    return value
  }
}
