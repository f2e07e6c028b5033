/** @jsxRuntime automatic */
/** @jsxImportSource hono/jsx */
/** Import of recipients from a file or a pasted table. */
import { IMPORT_RECIPIENTS, type RecipientImport } from '../../../reports/contract.ts'
import { callOf, type Operation } from '../../forms.tsx'
import { Head, Table } from '../../ui/panel.tsx'
import { counted, Name } from '../../ui/text.tsx'

const EXAMPLE =
  'name,email,userDirectory,userId,groups,attributes.region\nAnna Berg,anna@company.com,COMPANY,anna,Managers,Nordic'

const numbers = ({ created, updated, unchanged, deactivated }: RecipientImport): string =>
  `${created} created, ${updated} updated, ${unchanged} unchanged, ${deactivated} made inactive`
const withNote = (text: string, { note }: RecipientImport): string => (note ? `${text}. ${note}` : text)

export const importOperation: Operation = {
  scope: 'report:write',
  verb: 'Import recipients',
  takesFile: true,
  dialog: (fields) => (
    <>
      <p class="muted">
        Matched by address. Lines with an error are left out and listed; the others are imported. The first line names
        the columns.
      </p>
      <label class="field">
        <span>File: an Excel workbook, or text that Excel saves</span>
        <input type="file" name="file" accept=".xlsx,.csv,.tsv,.txt,.json" />
      </label>
      <label class="field">
        <span>Or its text: CSV, or cells copied from Excel</span>
        <textarea name="csv" rows={10} class="mono" spellcheck={false} placeholder={EXAMPLE}>
          {`\n${fields.get('csv')}`}
        </textarea>
      </label>
      <label class="check">
        <span>Imported recipients that are missing here become inactive</span>
        <input type="checkbox" name="mode" value="replace" checked={fields.get('mode') === 'replace'} />
      </label>
    </>
  ),
  call: (fields, { upload }) =>
    callOf(IMPORT_RECIPIENTS, {
      body: upload?.content ?? fields.get('csv'),
      query: { mode: fields.get('mode') },
      // The kind of a file is seen from its content.
      headers: { 'content-type': upload ? 'application/octet-stream' : 'text/csv; charset=utf-8' },
    }),
  result(answer, context) {
    const imported = answer as RecipientImport
    const { errors } = imported
    if (errors.length === 0) return null
    return {
      title: 'Import of recipients',
      place: 'reports',
      body: (
        <>
          <Head
            title="Import of recipients"
            crumbs={[{ href: context.link('/reports/recipients'), text: 'Recipients' }]}
          />
          <p class="lead">
            {numbers(imported)}, and <b class="bad">{counted(errors.length, 'line was', 'lines were')} left out</b>.
            {imported.note && ` ${imported.note}`}
          </p>
          <section class="panel">
            <Table
              caption="Lines that were left out"
              rows={errors}
              keyOf={({ line, details }) => `${line} ${details}`}
              columns={[
                { head: 'Line', cell: ({ line }) => line },
                { head: 'Why', cell: ({ details }) => <Name text={details} /> },
              ]}
            />
          </section>
        </>
      ),
    }
  },
  done: (answer) => withNote(numbers(answer as RecipientImport), answer as RecipientImport),
  next: () => '/reports/recipients',
}
