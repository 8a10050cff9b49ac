//! The traits of `wasi:filesystem` on one call's view: each function finds its descriptors, calls the verb that has a
//! file of its own, and hands the answer to [`conclude`](super::call::CallFiles::conclude).
//!
//! The rule: nothing is decided here. The bindings' `Descriptor` is only an index; behind it stands our own [`Node`].

use std::sync::Arc;

use wasmtime::component::{Resource, ResourceTable};
use wasmtime_wasi::p2::bindings::filesystem::preopens;
use wasmtime_wasi::p2::bindings::filesystem::types::{
    self, Advice, Descriptor, DescriptorFlags, DescriptorStat, DescriptorType, DirectoryEntry,
    DirectoryEntryStream, ErrorCode, Filesize, HostDescriptor, HostDirectoryEntryStream, MetadataHashValue,
    NewTimestamp, OpenFlags, PathFlags,
};
use wasmtime_wasi::p2::{DynInputStream, DynOutputStream, FsError, FsResult};

use super::call::FilesView;
use super::fault::Verb;
use super::list::Entries;
use super::node::{Node, OpenFile};
use super::open::Want;
use super::remove::Target;
use super::stream::{self, Reader, StreamFault, Writer};
use super::{link, list, make, open, remove, rename, stat, times};

fn node(table: &ResourceTable, descriptor: &Resource<Descriptor>) -> wasmtime::Result<Node> {
    Ok(table.get(&Resource::<Node>::new_borrow(descriptor.rep()))?.clone())
}

fn push(table: &mut ResourceTable, node: Node) -> wasmtime::Result<Resource<Descriptor>> {
    Ok(Resource::new_own(table.push(node)?.rep()))
}

impl FilesView<'_> {
    fn node(&self, descriptor: &Resource<Descriptor>) -> FsResult<Node> {
        node(self.table, descriptor).map_err(FsError::trap)
    }

    /// The descriptor's node, and the path as it goes on record.
    fn named(&self, descriptor: &Resource<Descriptor>, path: &str) -> FsResult<(Node, String)> {
        let node = self.node(descriptor)?;
        let target = node.target(self.files.bound(), path);
        Ok((node, target))
    }

    /// An open file that may be written to.
    fn written(&self, descriptor: &Resource<Descriptor>) -> FsResult<Arc<OpenFile>> {
        let node = self.node(descriptor)?;
        let file = stat::file_of(&node).map_err(|fault| self.files.refused(Verb::Write, "", fault))?;
        file.writes().map_err(|fault| self.files.refused(Verb::Write, &file.path, fault))?;
        Ok(Arc::clone(file))
    }

    /// Drops a descriptor, and puts in place what nobody can write to any more.
    pub(crate) async fn close(&mut self, descriptor: Resource<Descriptor>) -> wasmtime::Result<()> {
        HostDescriptor::drop(self, descriptor)?;
        self.files.stages().settle_closed().await;
        Ok(())
    }

    /// The tool has returned: whatever it still has open is put in place.
    pub(crate) async fn finish(&mut self) {
        self.files.stages().settle_all().await;
    }

    /// Puts in place what was written to an open file; the guest hears if that is refused.
    async fn put(&mut self, file: &OpenFile) -> FsResult<()> {
        let answer = self.files.put(file).await;
        answer.map_err(|fault| self.files.fail(Verb::Write, &file.path, fault))
    }

    /// An open file that may be read.
    fn read_from(&self, descriptor: &Resource<Descriptor>) -> FsResult<Arc<OpenFile>> {
        let node = self.node(descriptor)?;
        let file = stat::file_of(&node).map_err(|fault| self.files.refused(Verb::Read, "", fault))?;
        file.reads().map_err(|fault| self.files.refused(Verb::Read, &file.path, fault))?;
        Ok(Arc::clone(file))
    }
}

impl preopens::Host for FilesView<'_> {
    fn get_directories(&mut self) -> wasmtime::Result<Vec<(Resource<Descriptor>, String)>> {
        Ok(vec![(push(self.table, stat::root())?, "/".to_owned())])
    }
}

impl types::Host for FilesView<'_> {
    fn convert_error_code(&mut self, error: FsError) -> wasmtime::Result<ErrorCode> {
        error.downcast()
    }

    fn filesystem_error_code(
        &mut self,
        error: Resource<wasmtime::Error>,
    ) -> wasmtime::Result<Option<ErrorCode>> {
        Ok(self.table.get(&error)?.downcast_ref::<StreamFault>().map(|fault| fault.0))
    }
}

impl HostDescriptor for FilesView<'_> {
    fn read_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynInputStream>> {
        let stages = Arc::clone(self.files.stages());
        let stream: DynInputStream = Box::new(Reader::new(self.read_from(&descriptor)?, offset, stages));
        self.table.push(stream).map_err(FsError::trap)
    }

    fn write_via_stream(
        &mut self,
        descriptor: Resource<Descriptor>,
        offset: Filesize,
    ) -> FsResult<Resource<DynOutputStream>> {
        let (quota, stages) = (Arc::clone(self.files.quota()), Arc::clone(self.files.stages()));
        let stream: DynOutputStream = Box::new(Writer::at(self.written(&descriptor)?, offset, quota, stages));
        self.table.push(stream).map_err(FsError::trap)
    }

    fn append_via_stream(&mut self, descriptor: Resource<Descriptor>) -> FsResult<Resource<DynOutputStream>> {
        let (quota, stages) = (Arc::clone(self.files.quota()), Arc::clone(self.files.stages()));
        let stream: DynOutputStream = Box::new(Writer::at_end(self.written(&descriptor)?, quota, stages));
        self.table.push(stream).map_err(FsError::trap)
    }

    async fn advise(
        &mut self,
        descriptor: Resource<Descriptor>,
        _offset: Filesize,
        _length: Filesize,
        _advice: Advice,
    ) -> FsResult<()> {
        // Advice moves the machine's page cache, which other agents share: taken and not followed.
        let node = self.node(&descriptor)?;
        stat::file_of(&node).map(|_| ()).map_err(|_| ErrorCode::BadDescriptor.into())
    }

    async fn sync_data(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        match self.node(&descriptor)? {
            Node::File(file) => {
                self.put(&file).await?;
                Ok(rustix::fs::fdatasync(file.file()).map_err(super::errno::code)?)
            }
            Node::Virtual(_) | Node::Directory(_) => Ok(()),
        }
    }

    async fn get_flags(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorFlags> {
        Ok(stat::flags(&self.node(&descriptor)?))
    }

    async fn get_type(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorType> {
        Ok(stat::kind(&self.node(&descriptor)?))
    }

    async fn set_size(&mut self, descriptor: Resource<Descriptor>, size: Filesize) -> FsResult<()> {
        let node = self.node(&descriptor)?;
        let Node::File(file) = &node else { return Err(ErrorCode::IsDirectory.into()) };
        let answer = times::set_size(self.files, file, size).await;
        self.files.conclude(Verb::SetSize, &file.path, answer)
    }

    async fn set_times(
        &mut self,
        descriptor: Resource<Descriptor>,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        let node = self.node(&descriptor)?;
        let target = node.path(self.files.bound()).to_owned();
        let answer = times::set_times(self.files, &node, times::timestamps(access, modification)).await;
        self.files.conclude(Verb::SetTimes, &target, answer)
    }

    async fn read(
        &mut self,
        descriptor: Resource<Descriptor>,
        length: Filesize,
        offset: Filesize,
    ) -> FsResult<(Vec<u8>, bool)> {
        let file = self.read_from(&descriptor)?;
        let bytes = stream::read_at(&file, length, offset)
            .map_err(|fault| self.files.refused(Verb::Read, &file.path, fault))?;
        let end = bytes.is_empty() && length > 0;
        Ok((bytes, end))
    }

    async fn write(
        &mut self,
        descriptor: Resource<Descriptor>,
        buffer: Vec<u8>,
        offset: Filesize,
    ) -> FsResult<Filesize> {
        let file = self.written(&descriptor)?;
        let length = buffer.len() as u64;
        stream::write_at(&file, self.files.quota(), &buffer, offset)
            .map_err(|fault| self.files.refused(Verb::Write, &file.path, fault))?;
        Ok(length)
    }

    async fn read_directory(
        &mut self,
        descriptor: Resource<Descriptor>,
    ) -> FsResult<Resource<DirectoryEntryStream>> {
        let node = self.node(&descriptor)?;
        self.files.stages().settle_within(&node).await;
        let answer = list::list(self.files.bound(), &node);
        let entries = self.files.conclude(Verb::List, node.path(self.files.bound()), answer)?;
        Ok(Resource::new_own(self.table.push(entries).map_err(FsError::trap)?.rep()))
    }

    async fn sync(&mut self, descriptor: Resource<Descriptor>) -> FsResult<()> {
        match self.node(&descriptor)? {
            Node::File(file) => {
                self.put(&file).await?;
                Ok(rustix::fs::fsync(file.file()).map_err(super::errno::code)?)
            }
            Node::Virtual(_) | Node::Directory(_) => Ok(()),
        }
    }

    async fn create_directory_at(&mut self, base: Resource<Descriptor>, path: String) -> FsResult<()> {
        let (node, target) = self.named(&base, &path)?;
        self.files.stages().settle(&node, &path).await;
        let answer = make::make_directory(self.files, &node, &path).await;
        self.files.conclude(Verb::MakeDirectory, &target, answer)
    }

    async fn stat(&mut self, descriptor: Resource<Descriptor>) -> FsResult<DescriptorStat> {
        let node = self.node(&descriptor)?;
        stat::stat(&node)
            .map_err(|fault| self.files.refused(Verb::Stat, node.path(self.files.bound()), fault))
    }

    async fn stat_at(
        &mut self,
        base: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<DescriptorStat> {
        let (node, target) = self.named(&base, &path)?;
        self.files.stages().settle(&node, &path).await;
        let answer = stat::stat_at(self.files, &node, flags, &path);
        self.files.conclude(Verb::Stat, &target, answer)
    }

    async fn set_times_at(
        &mut self,
        base: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
        access: NewTimestamp,
        modification: NewTimestamp,
    ) -> FsResult<()> {
        let (node, target) = self.named(&base, &path)?;
        let times = times::timestamps(access, modification);
        self.files.stages().settle(&node, &path).await;
        let answer = times::set_times_at(self.files, &node, flags, &path, times).await;
        self.files.conclude(Verb::SetTimes, &target, answer)
    }

    async fn link_at(
        &mut self,
        _old: Resource<Descriptor>,
        _flags: PathFlags,
        _old_path: String,
        new: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let (node, target) = self.named(&new, &new_path)?;
        let answer = Err(link::make_link(self.files.bound(), &node, &new_path));
        self.files.conclude(Verb::MakeLink, &target, answer)
    }

    async fn open_at(
        &mut self,
        base: Resource<Descriptor>,
        path_flags: PathFlags,
        path: String,
        oflags: OpenFlags,
        flags: DescriptorFlags,
    ) -> FsResult<Resource<Descriptor>> {
        let (node, target) = self.named(&base, &path)?;
        let want = Want::new(path_flags, oflags, flags);
        let mut verb = want.verb();
        let answer = open::open(self.files, &node, &path, want, &mut verb).await;
        let opened = self.files.conclude(verb, &target, answer)?;
        push(self.table, opened).map_err(FsError::trap)
    }

    async fn readlink_at(&mut self, base: Resource<Descriptor>, path: String) -> FsResult<String> {
        let (node, target) = self.named(&base, &path)?;
        let answer = link::read_link(self.files.bound(), &node, &path);
        self.files.conclude(Verb::ReadLink, &target, answer)
    }

    async fn remove_directory_at(&mut self, base: Resource<Descriptor>, path: String) -> FsResult<()> {
        let (node, target) = self.named(&base, &path)?;
        self.files.stages().settle(&node, &path).await;
        let answer = remove::remove(self.files, &node, &path, Target::Directory).await;
        self.files.conclude(Verb::Delete, &target, answer)
    }

    async fn rename_at(
        &mut self,
        old: Resource<Descriptor>,
        old_path: String,
        new: Resource<Descriptor>,
        new_path: String,
    ) -> FsResult<()> {
        let (from, source) = self.named(&old, &old_path)?;
        let (to, target) = self.named(&new, &new_path)?;
        self.files.stages().settle_all().await;
        match rename::rename(self.files, (&from, &old_path), (&to, &new_path)).await {
            Ok(()) => {
                self.files.allowed(Verb::Rename, &source);
                self.files.allowed(Verb::RenameTo, &target);
                Ok(())
            }
            Err((verb, fault)) => {
                let about = if verb == Verb::Rename { &source } else { &target };
                Err(self.files.fail(verb, about, fault))
            }
        }
    }

    async fn symlink_at(&mut self, base: Resource<Descriptor>, _text: String, path: String) -> FsResult<()> {
        let (node, target) = self.named(&base, &path)?;
        let answer = Err(link::make_link(self.files.bound(), &node, &path));
        self.files.conclude(Verb::MakeLink, &target, answer)
    }

    async fn unlink_file_at(&mut self, base: Resource<Descriptor>, path: String) -> FsResult<()> {
        let (node, target) = self.named(&base, &path)?;
        self.files.stages().settle(&node, &path).await;
        let answer = remove::remove(self.files, &node, &path, Target::File).await;
        self.files.conclude(Verb::Delete, &target, answer)
    }

    async fn is_same_object(
        &mut self,
        one: Resource<Descriptor>,
        other: Resource<Descriptor>,
    ) -> wasmtime::Result<bool> {
        Ok(stat::is_same(&node(self.table, &one)?, &node(self.table, &other)?))
    }

    async fn metadata_hash(&mut self, descriptor: Resource<Descriptor>) -> FsResult<MetadataHashValue> {
        let node = self.node(&descriptor)?;
        let target = node.path(self.files.bound());
        stat::hash(self.files, &node).map_err(|fault| self.files.refused(Verb::Stat, target, fault))
    }

    async fn metadata_hash_at(
        &mut self,
        base: Resource<Descriptor>,
        flags: PathFlags,
        path: String,
    ) -> FsResult<MetadataHashValue> {
        let (node, target) = self.named(&base, &path)?;
        self.files.stages().settle(&node, &path).await;
        // Runtimes ask for it once an entry when they list: on record only where it was refused.
        stat::hash_at(self.files, &node, flags, &path)
            .map_err(|fault| self.files.refused(Verb::Stat, &target, fault))
    }

    fn drop(&mut self, descriptor: Resource<Descriptor>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Node>::new_own(descriptor.rep()))?;
        Ok(())
    }
}

impl HostDirectoryEntryStream for FilesView<'_> {
    async fn read_directory_entry(
        &mut self,
        stream: Resource<DirectoryEntryStream>,
    ) -> FsResult<Option<DirectoryEntry>> {
        let entries = Resource::<Entries>::new_borrow(stream.rep());
        let answer = self.table.get_mut(&entries).map_err(FsError::trap)?.next();
        answer.map_err(|fault| self.files.refused(Verb::List, "", fault))
    }

    fn drop(&mut self, stream: Resource<DirectoryEntryStream>) -> wasmtime::Result<()> {
        self.table.delete(Resource::<Entries>::new_own(stream.rep()))?;
        Ok(())
    }
}
