/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** The choice of the type of a new destination. */
import type { FC } from 'hono/jsx'
import { destinationTypes } from '../../../alerts/config-destinations.ts'
import { SETTINGS } from '../../../settings/contract.ts'
import type { Page, PageContext } from '../../page.ts'
import { EDITOR_PATH, NEW_DESTINATION } from '../../setting-kinds.ts'
import { Icon, type IconName } from '../../ui/marks.tsx'
import { Head, part } from '../../ui/panel.tsx'

type Type = (typeof destinationTypes)[number]

/** In the order of the page. */
const PURPOSES = [
  ['alert', 'Messages to people', 'bubble'],
  ['incident', 'Incidents for people on call', 'bell'],
  ['record', 'Records for other systems', 'record'],
] as const satisfies readonly (readonly [Type['purpose'], string, IconName])[]

/** Marks without letters; the others are the shape of their purpose with letters of their name. */
const MARKS: Readonly<Record<string, IconName>> = {
  email: 'mail',
  mqtt: 'broker',
  ntfy: 'phone',
  otlp: 'pulse',
  webhook: 'braces',
}

/** Two letters: `GC` of Google Chat, `Sl` of Slack. */
const lettersOf = (title: string): string => (title.includes(' ') ? title.replace(/\B\S+|\s/g, '') : title.slice(0, 2))

const TypeMark: FC<{ readonly type: Type; readonly shape: IconName }> = ({ type: { name, title }, shape }) => (
  <span class="typemark" aria-hidden="true">
    <Icon name={MARKS[name] ?? shape} />
    {MARKS[name] === undefined && <b>{lettersOf(title)}</b>}
  </span>
)

const Tile: FC<{ readonly context: PageContext; readonly type: Type; readonly shape: IconName }> = ({
  context,
  type,
  shape,
}) => (
  <li>
    <a class="tile" href={context.link(EDITOR_PATH, { kind: 'destination', type: type.name })}>
      <TypeMark type={type} shape={shape} />
      <span>
        <b>{type.title}</b>
        <span class="sub">{type.about}</span>
      </span>
    </a>
  </li>
)

export const newDestination: Page = {
  path: NEW_DESTINATION,
  place: 'delivery',
  scope: 'setting:write',
  async render(context) {
    const answer = await context.ask(SETTINGS)
    const crumbs = [{ href: context.link('/destinations'), text: 'Destinations' }]
    return {
      title: 'Add destination',
      body: (
        <>
          <Head title="Add destination" crumbs={crumbs} />
          {part(answer, ({ editable, locked }) =>
            editable ? (
              <>
                <p class="lead">Where do you want alerts to arrive?</p>
                {PURPOSES.map(([purpose, title, shape]) => (
                  <section class="spaced" aria-labelledby={`to-${purpose}`}>
                    <h2 id={`to-${purpose}`}>{title}</h2>
                    <ul class="tiles">
                      {destinationTypes
                        .filter((type) => type.purpose === purpose)
                        .map((type) => (
                          <Tile context={context} type={type} shape={shape} />
                        ))}
                    </ul>
                  </section>
                ))}
              </>
            ) : (
              <p class="lead">{locked ?? 'Settings cannot be changed here.'}</p>
            ),
          )}
        </>
      ),
    }
  },
}
