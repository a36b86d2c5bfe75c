package image

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

// containerDir is where a machine has images for its containers: DIR/NAME.tar is
// imported as NAME when Docker starts, unless there is one of that name. Machines of
// a lab can't fetch any.
const containerDir = "/usr/share/drydock/containers"

// container is an image for containers: busybox, and files.
type container struct {
	Name  string
	Files []rootFile
}

// containerImages are those that are in each image with Docker: the tools of
// busybox, and what stands for a web server in a container.
var containerImages = []container{
	{Name: "busybox"},
	{Name: "coreos/apache", Files: []rootFile{
		{"/usr/sbin/apache2ctl", apache2ctl, 0o755},
		{"/var/www/index.html", "<html><body><h1>It works!</h1></body></html>\n", 0o644},
	}},
}

// apache2ctl is called with apache's options and serves /var/www by busybox's server,
// which as a first process would not hear that it is to stop.
const apache2ctl = `#!/bin/sh
trap 'kill $server' TERM INT
httpd -f -p 80 -h /var/www &
server=$!
wait
`

// dockerFiles are what is put into a root that has Docker. The docker command of the
// distribution is moved away for a front of it.
var dockerFiles = []rootFile{
	{"/usr/lib/drydock/import-containers", importContainers, 0o755},
	{"/usr/bin/docker", dockerFront, 0o755},
}

// realDocker is where the distribution's docker command goes.
const realDocker = "/usr/bin/docker.distrib"

// importContainers makes images of the archives that a machine has.
const importContainers = `#!/bin/sh
cd ` + containerDir + ` || exit 0
find . -name '*.tar' | sort | while read -r file; do
  name=${file#./}
  name=${name%.tar}
  docker image inspect "$name" >/dev/null 2>&1 || docker import --change 'CMD ["/bin/sh"]' "$file" "$name" || exit
done
`

// dockerFront lets units of 2014 run as they are: docker's long options had one dash
// then. It looks at the words of "docker run" up to the image.
const dockerFront = `#!/bin/sh
# Docker took long options with one dash until 2016: docker run -name web.
real=` + realDocker + `
[ "$1" = run ] || exec "$real" "$@"
left=$#
front=options
while [ "$left" -gt 0 ]; do
  word=$1
  shift
  left=$((left - 1))
  case $front in
  options)
    case ${word%%=*} in
    -attach | -cidfile | -cpu-shares | -cpuset | -detach | -dns | -dns-search | -entrypoint | -env | -env-file | -expose | \
      -hostname | -interactive | -link | -lxc-conf | -memory | -name | -net | -privileged | -publish | -publish-all | \
      -rm | -sig-proxy | -tty | -user | -volume | -volumes-from | -workdir) word=-$word ;;
    esac
    case $word in
    run | --rm | --privileged | --detach | --interactive | --tty | --publish-all | --init | --read-only | --*=*) ;;
    --*) front=value ;;
    -[ditP] | -[ditP][ditP] | -[ditP][ditP][ditP]) ;;
    -?) front=value ;;
    -*) ;;
    *) front=command ;;
    esac
    ;;
  value) front=options ;;
  esac
  set -- "$@" "$word"
done
exec "$real" "$@"
`

// containers puts into the root what its containers are made of.
func (b *builder) containers(ctx context.Context) error {
	root := b.image.RootDir()
	if err := b.run(ctx, root, "chroot", root, "dpkg-divert", "--quiet", "--local", "--rename", "--divert", realDocker, "--add", "/usr/bin/docker"); err != nil {
		return err
	}
	for _, f := range b.recipe.Front {
		if err := put(root, f); err != nil {
			return err
		}
	}
	program, err := os.ReadFile(filepath.Join(root, "bin/busybox"))
	if err != nil {
		return err
	}
	out, err := exec.CommandContext(ctx, "chroot", root, "/bin/busybox", "--list").Output()
	if err != nil {
		return err
	}
	for _, i := range b.recipe.Containers {
		text, err := containerTar(program, strings.Fields(string(out)), i.Files)
		if err != nil {
			return err
		}
		if err := put(root, rootFile{path.Join(containerDir, i.Name+".tar"), string(text), 0o644}); err != nil {
			return err
		}
	}
	return nil
}

// containerTar makes the archive of a container's root: busybox under all its names,
// and files. Every call makes the same of the same.
func containerTar(busybox []byte, names []string, files []rootFile) ([]byte, error) {
	var text bytes.Buffer
	w := tar.NewWriter(&text)
	var errs []error
	add := func(h *tar.Header, content []byte) {
		h.Size = int64(len(content))
		errs = append(errs, w.WriteHeader(h))
		_, err := w.Write(content)
		errs = append(errs, err)
	}
	var dirs []string
	for _, f := range files {
		for dir := path.Dir(f.Path[1:]); dir != "."; dir = path.Dir(dir) {
			dirs = append(dirs, dir)
		}
	}
	dirs = append(dirs, "bin", "etc", "root", "tmp")
	slices.Sort(dirs)
	for _, dir := range slices.Compact(dirs) {
		add(&tar.Header{Typeflag: tar.TypeDir, Name: dir + "/", Mode: 0o755}, nil)
	}
	add(&tar.Header{Typeflag: tar.TypeReg, Name: "bin/busybox", Mode: 0o755}, busybox)
	for _, name := range names {
		if name != "busybox" {
			add(&tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/" + name, Linkname: "busybox", Mode: 0o777}, nil)
		}
	}
	for _, f := range append([]rootFile{{"/etc/passwd", "root:x:0:0:root:/root:/bin/sh\n", 0o644}}, files...) {
		add(&tar.Header{Typeflag: tar.TypeReg, Name: f.Path[1:], Mode: int64(f.Mode)}, []byte(f.Text))
	}
	errs = append(errs, w.Close())
	return text.Bytes(), errors.Join(errs...)
}
