# A Linux virtual machine from Debian's packages: a kernel, a small system in memory, and whatever
# files of this machine are to be in it. Sourced after lib.sh and cross.sh.
#
#   vm_need arm64                            the emulator, the kernel and the system, unless there
#   vm_kernel 6.12                           another kernel than the newest, where Debian has it
#   vm_modules nfsd xfs                      kernel modules that it has
#   vm_add /path/to/program /path/to/data    files that it has, at the same paths
#   vm_boot SECONDS LOG <script              boots, runs the script there, returns its status
#
# The console goes to standard output and to LOG. Everything is below target/platforms/vm-ARCHITECTURE.
# shellcheck shell=bash

# Packages of the system: a shell with the usual commands, and Python.
vm_packages=(busybox-static libgcc-s1 bash python3-minimal)

# Downloads and unpacks what a virtual machine of this architecture needs: vm_need ARCHITECTURE
vm_need() {
  vm_architecture=$1
  vm=$cross/vm-$1
  local missing=()
  command -v cpio >/dev/null || missing+=(cpio)
  command -v depmod >/dev/null || missing+=(kmod)
  case $1 in
    arm64)
      vm_console=ttyAMA0
      # Its time passes with its instructions, 4 ns each, and jumps over sleeps: no test depends on
      # what else this machine has to do.
      vm_emulator=(qemu-system-aarch64 -M virt -cpu cortex-a72 -icount 'shift=2,sleep=off' -nic none)
      command -v qemu-system-aarch64 >/dev/null || missing+=(qemu-system-arm)
      ;;
    amd64)
      vm_console=ttyS0
      vm_emulator=(qemu-system-x86_64 -M pc -cpu max -nic none)
      command -v qemu-system-x86_64 >/dev/null || missing+=(qemu-system-x86)
      ;;
    *) fail "no virtual machine for $1" ;;
  esac
  if [ ${#missing[@]} -gt 0 ]; then apt_install "${missing[@]}"; fi
  make_target
  local contents
  contents="${vm_packages[*]} $(vm_init | cksum)"
  if [ "$(cat "$vm/contents" 2>/dev/null)" != "$contents" ]; then
    step "a system for $1"
    rm -rf "$vm/root" && mkdir -p "$vm/root"/{bin,sbin,etc,root,proc,sys,dev,mnt,tmp,run,usr/bin,usr/sbin}
    unpack_all_for "$1" "$vm/root" "${vm_packages[@]}"
    rm -rf "$vm/root/usr/share"
    ln -sf python3.11 "$vm/root/usr/bin/python3"
    vm_init >"$vm/root/init"
    chmod +x "$vm/root/init"
    echo 'root:x:0:0:root:/root:/bin/sh' >"$vm/root/etc/passwd"
    echo 'nobody:x:65534:65534:nobody:/:/bin/sh' >>"$vm/root/etc/passwd"
    printf 'root:x:0:\nnogroup:x:65534:\n' >"$vm/root/etc/group"
    echo '127.0.0.1 localhost' >"$vm/root/etc/hosts"
    (cd "$vm/root" && find . | cpio --quiet -o -H newc -R 0:0) >"$vm/base.cpio.new"
    mv "$vm/base.cpio.new" "$vm/base.cpio"
    echo "$contents" >"$vm/contents"
  fi
  vm_kernel "linux-image-$1"
  vm_devices=()
  vm_files=$vm/files
  : >"$vm_files"
}

# Downloads a kernel that Debian has under this name, the metapackage, and boots it from now on.
vm_kernel() {
  local kernel=$vm/$1
  if [ ! -e "$kernel/image" ]; then
    step "kernel: $1"
    local package
    package=$(APT_CONFIG=$cross/apt-$vm_architecture/apt.conf apt-cache depends "$1" |
      sed -n 's/.*Depends: \(linux-image-.*\)$/\1/p' | sort -V | tail -n 1)
    unpack_for "$vm_architecture" "$kernel" "$package"
    vm_version=$(basename "$kernel"/lib/modules/*)
    depmod -b "$kernel" "$vm_version"
    ln -sf "boot/vmlinuz-$vm_version" "$kernel/image"
  fi
  vm_boots=$kernel
  vm_version=$(basename "$kernel"/lib/modules/*)
  vm_loads=()
}

# Kernel modules that the machine loads before it runs the script: vm_modules NAME...
vm_modules() { vm_loads+=("$@"); }

# The first process: mounts, runs /vm-script, prints its status on the console, ends the machine.
vm_init() {
  cat <<'SH'
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin:/usr/sbin:/sbin HOME=/root USER=root LANG=C.UTF-8 TMPDIR=/tmp
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir -p /dev/shm /dev/pts
mount -t tmpfs -o mode=1777 tmp /dev/shm
mount -t devpts pts /dev/pts
# Unless files of the other machine are there.
chmod 1777 /tmp
[ -n "$(ls -A /tmp)" ] || mount -t tmpfs -o mode=1777 tmp /tmp
mount -t cgroup2 cgroup /sys/fs/cgroup
ln -sf /proc/self/fd /dev/fd
for descriptor in 0:stdin 1:stdout 2:stderr; do ln -sf "/proc/self/fd/${descriptor%:*}" "/dev/${descriptor#*:}"; done
ip link set lo up
while read -r module; do insmod "/$module"; done </modules
cd /root
/bin/bash /vm-script </dev/null
echo "vm: status $?"
sync
poweroff -f
SH
}

# Adds files of this machine, and links of a folder as they are: vm_add PATH...
vm_add() { printf '%s\n' "$@" >>"$vm_files"; }

# Writes an archive of the modules to load, of those that they need, and of their names in order.
vm_module_files() {
  local list
  list=$(mktemp -d)
  : >"$list/modules"
  [ ${#vm_loads[@]} = 0 ] || (cd "$vm_boots" && modprobe -d . -S "$vm_version" --show-depends --ignore-install -a "${vm_loads[@]}" |
    sed -n 's|^insmod .*/\(lib/modules/.*\.ko[^ ]*\).*|\1|p' | awk '!seen[$0]++') >"$list/modules"
  [ -s "$list/modules" ] || [ ${#vm_loads[@]} = 0 ] || fail "the kernel has no modules ${vm_loads[*]}"
  (cd "$list" && echo modules | cpio --quiet -o -H newc -R 0:0)
  awk -F/ '{ path = ""; for (i = 1; i < NF; i++) { path = path $i; print path; path = path "/" } print }' "$list/modules" |
    LC_ALL=C sort -u | (cd "$vm_boots" && cpio --quiet -o -H newc -R 0:0)
  rm -r "$list"
}

# Boots the system and runs the script on standard input in it: vm_boot SECONDS LOG
#
# Returns the status of the script; 124 if the time is over, 125 if the machine ended without one.
vm_boot() {
  local seconds=$1 log=$2 scratch
  scratch=$(mktemp -d)
  cat >"$scratch/vm-script"
  # A folder comes before what is in it.
  awk -F/ '{ path = ""; for (i = 2; i < NF; i++) { path = path "/" $i; print path } print }' "$vm_files" |
    LC_ALL=C sort -u | sed 's|^/||' >"$scratch/list"
  (cd / && cpio --quiet -o -H newc -R 0:0 <"$scratch/list") >"$scratch/files.cpio"
  (cd "$scratch" && echo vm-script | cpio --quiet -o -H newc -R 0:0) >"$scratch/script.cpio"
  vm_module_files >"$scratch/modules.cpio"
  cat "$vm/base.cpio" "$scratch/files.cpio" "$scratch/modules.cpio" "$scratch/script.cpio" >"$scratch/initrd"
  rm "$scratch"/*.cpio
  local status=0
  timeout "$seconds" "${vm_emulator[@]}" "${vm_devices[@]}" -smp "${VM_PROCESSORS:-$(nproc)}" \
    -m "${VM_MEMORY:-3072}" -nographic -no-reboot -kernel "$vm_boots/image" -initrd "$scratch/initrd" \
    -append "console=$vm_console quiet loglevel=1 panic=-1" </dev/null |
    sed -u 's/\r//g; s/\x1b[^a-zA-Z]*[a-zA-Z]//g' | tee "$log" || status=${PIPESTATUS[0]}
  rm -r "$scratch"
  if [ "$status" = 124 ]; then return 124; fi
  status=$(sed -n 's/^vm: status //p' "$log")
  return "${status:-125}"
}
