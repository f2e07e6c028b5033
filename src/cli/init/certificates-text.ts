/** What lies in the folder of the certificates until they do. */
export function certificatesText(qsHost: string, footmanHost: string): string {
  return `Certificates of Qlik Sense

Footman proves with them to Qlik Sense who it is. Three files belong into this folder:

  client.pem       the certificate
  client_key.pem   its secret key; whoever has it is an administrator of the site
  root.pem         the authority that has signed it, and the certificate of the server

How to get them:

  1. Open the Qlik Management Console of ${qsHost}: Start, Certificates.
  2. "Add machine name": ${footmanHost}, or any name; the files get a folder of that name.
  3. "Certificate password": leave it empty.
  4. Tick "Include secrets key".
  5. "Export file format": Platform independent PEM-format. Then "Export certificates".
  6. The files are on the central node now, in
     C:\\ProgramData\\Qlik\\Sense\\Repository\\Exported Certificates\\<machine name>
     Copy client.pem, client_key.pem and root.pem from there into this folder, and delete them there.
  7. See that only administrators and the account of the service may read this folder.

footman check tells whether they fit together and until when they are valid; footman doctor also tries them.
`
}
