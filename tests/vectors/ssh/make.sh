#!/bin/bash
# make.sh - makes the vectors of this folder anew with OpenSSH's ssh-keygen and Python's asyncssh: README.md says what they are.
set -e
out=$(cd "$(dirname "$0")" && pwd)
tmp=$(mktemp -d)
trap 'rm -r "$tmp"' EXIT
cd "$tmp"
gen() { ssh-keygen -q -N '' -C "$1@test" -f "$1" "${@:2}"; }
gen ed25519 -t ed25519
for b in 256 384 521; do gen ecdsa$b -t ecdsa -b $b; done
for b in 1024 2048 3072; do gen rsa$b -t rsa -b $b; done
gen dsa -t dsa
gen ca_ed25519 -t ed25519
gen ca_rsa -t rsa -b 2048
gen ca_ecdsa -t ecdsa -b 384
gen host_ecdsa -t ecdsa -b 256 -m PEM
gen host_rsa -t rsa -b 3072 -m PKCS8
gen host_ed25519 -t ed25519
/usr/bin/python3 -W ignore - <<'P'
import asyncssh, base64, struct
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric import ec
# PKCS#8 of an Ed25519 key, which ssh-keygen does not write
k = s.load_ssh_private_key(open('host_ed25519', 'rb').read(), None)
open('host_ed25519', 'wb').write(k.private_bytes(s.Encoding.PEM, s.PrivateFormat.PKCS8, s.NoEncryption()))
# signatures over "the message": what -Y sign does not make
for name, alg in (('rsa2048', 'rsa-sha2-256'), ('rsa2048', 'rsa-sha2-512'), ('rsa2048', 'ssh-rsa')):
    k = asyncssh.read_private_key(name)
    open('%s.%s.sig' % (name, alg), 'w').write(base64.b64encode(k.sign(b'the message', alg.encode())).decode() + '\n')
# public keys of security keys that are software: their private keys are 32 bytes of 7
st = lambda b: struct.pack('>I', len(b)) + b
pub = Ed25519PrivateKey.from_private_bytes(b'\7' * 32).public_key().public_bytes(s.Encoding.Raw, s.PublicFormat.Raw)
q = ec.derive_private_key(int.from_bytes(b'\7' * 32, 'big'), ec.SECP256R1()).public_key().public_bytes(
    s.Encoding.X962, s.PublicFormat.UncompressedPoint)
for file, name, fields in (('sk_ed25519', b'sk-ssh-ed25519@openssh.com', st(pub)),
                           ('sk_ecdsa', b'sk-ecdsa-sha2-nistp256@openssh.com', st(b'nistp256') + st(q))):
    blob = st(name) + fields + st(b'ssh:')
    open(file + '.pub', 'w').write('%s %s %s@test\n' % (name.decode(), base64.b64encode(blob).decode(), file))
P
openssl ec -in host_ecdsa -conv_form compressed -out host_ecdsa_compressed 2> /dev/null
openssl pkcs8 -topk8 -in host_ecdsa -passout pass:secret -out host_encrypted
openssl genrsa -traditional 2048 > host_rsa2048 2> /dev/null
openssl ecparam -name secp384r1 -genkey -noout > host_ecdsa384
for k in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa2048 rsa3072; do
	printf 'the message' | ssh-keygen -q -Y sign -n test -f $k > $k.sshsig
done
for k in ed25519 ecdsa256 ecdsa384 ecdsa521 rsa2048 rsa3072 sk_ed25519 sk_ecdsa; do
	ssh-keygen -l -f $k.pub | cut -d' ' -f2 > $k.fp
done
# cert NAME CA KEY OPTIONS... - NAME.cert
cert() {
	cp "$3.pub" "$1.pub"
	ssh-keygen -q -s "$2" -I "id of $1" "${@:4}" "$1.pub"
	rm "$1.pub"
	mv "$1-cert.pub" "$1.cert"
}
v="-V 20250101000000Z:20350101000000Z" # 1735689600 to 2051222400
cert c_ed25519 ca_ed25519 ed25519 $v -n alice,bob -z 7
cert c_ecdsa256 ca_ed25519 ecdsa256 $v -n alice,bob
cert c_ecdsa384 ca_ecdsa ecdsa384 $v -n alice,bob
cert c_ecdsa521 ca_rsa ecdsa521 $v -n alice,bob
cert c_rsa ca_rsa rsa2048 $v -n alice,bob
cert c_rsa256 ca_rsa rsa3072 $v -n alice,bob -t rsa-sha2-256
cert c_sk_ed25519 ca_ed25519 sk_ed25519 $v -n alice,bob
cert c_sk_ecdsa ca_ed25519 sk_ecdsa $v -n alice,bob
cert c_sha1 ca_rsa ed25519 $v -n alice,bob -t ssh-rsa
cert c_noprincipals ca_ed25519 ed25519 $v
cert c_host ca_ed25519 ed25519 $v -h -n alice
cert c_forever ca_ed25519 ed25519 -n alice
cert c_expired ca_ed25519 ed25519 -n alice -V 20200101000000Z:20210101000000Z
cert c_source ca_ed25519 ed25519 $v -n alice -O source-address=192.0.2.0/24,2001:db8::/32,198.51.100.7
cert c_sftp ca_ed25519 ed25519 $v -n alice -O force-command=internal-sftp
cert c_command ca_ed25519 ed25519 $v -n alice -O force-command=/bin/sh
cert c_both ca_ed25519 ed25519 $v -n alice -O force-command=internal-sftp -O source-address=192.0.2.0/24
cert c_verify ca_ed25519 ed25519 $v -n alice -O verify-required
cert c_unknown ca_ed25519 ed25519 $v -n alice -O critical:new@example.com=x
cert c_extension ca_ed25519 ed25519 $v -n alice -O clear -O extension:new@example.com=x
rm -f "$out"/*.{pub,fp,cert,sshsig,sig,pem}
for k in host_*; do
	case $k in *.pub) ;; *) mv $k $k.pem ;; esac
done
cp ./*.pub ./*.fp ./*.cert ./*.sshsig ./*.sig ./*.pem "$out"
chmod 644 "$out"/*.pem
