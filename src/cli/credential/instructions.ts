/** How secrets are kept where Footman does not keep them itself. */
export function credentialInstructions(name: string): string {
  return `With systemd 250 or later, encrypted for this computer:

  mkdir -p -m 700 /etc/credstore.encrypted
  systemd-ask-password -n "${name}:" | systemd-creds encrypt --name=${name} - /etc/credstore.encrypted/${name}

  and in the unit (systemctl edit footman, then systemctl restart footman):

  [Service]
  LoadCredentialEncrypted=${name}:/etc/credstore.encrypted/${name}

  In the configuration: \${credential:${name}}

Anywhere else, a file that only the account of the service may read:

  (umask 077; cat > /etc/footman/${name})    # type the value, then Enter and Ctrl-D
  chown footman /etc/footman/${name}

  In the configuration: \${file:/etc/footman/${name}}`
}
